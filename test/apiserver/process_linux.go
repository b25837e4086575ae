package apiserver

import "syscall"

// endWithParent ends a process when the test is killed, as at a time-out.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
