//go:build !linux

// Command floor is for Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "floor: there is no inotify here")
	os.Exit(1)
}
