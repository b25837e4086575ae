package kubeapi_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openshift-hyperfleet/status-reporter/kubeapi"
	"github.com/openshift-hyperfleet/status-reporter/kubeapi/kubetest"
)

// ownAccount gives the client a service account directory that the test may
// change, with the server's token and CA in it.
func (w *world) ownAccount() (token, ca string) {
	w.Helper()
	dir := w.TempDir()
	for _, name := range []string{"token", "ca.crt"} {
		data, err := os.ReadFile(filepath.Join(w.s.ServiceAccountDir(), name))
		if err != nil {
			w.Fatal(err)
		}
		writeFile(w.T, filepath.Join(dir, name), string(data))
	}
	w.cfg.ServiceAccountDir = dir
	w.c = w.client(w.cfg)
	return filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
}

// The token is read for each request: a rotated one counts at once, on the
// connection that there is.
func TestTokenIsReadForEachRequest(t *testing.T) {
	bubble(t, func(w *world) {
		f := w.follow(w.Context(), "")
		for _, next := range []string{"second", "third"} {
			w.s.RotateToken(next, false)
			for _, call := range []func() error{w.getPod, w.getJob, w.patch} {
				if err := call(); err != nil {
					t.Errorf("%s: %v", next, err)
				}
			}
		}
		w.s.SetAcceptedTokens("fourth") // not in the file yet
		if err := w.patch(); code(err) != 401 {
			t.Errorf("%v, want 401", err)
		}
		w.s.RotateToken("fourth", true)
		if err := w.patch(); err != nil {
			t.Error(err)
		}
		w.s.CloseWatches()
		if err := <-f.ended; err != nil || w.s.Connections() != 1 {
			t.Errorf("%v, %d connections", err, w.s.Connections())
		}
	})
}

func TestTokenFile(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content string
		ok      bool
	}{
		{"newline", "TOKEN\n", true},
		{"blanks around", " \tTOKEN\r\n\n", true},
		{"empty", "", false},
		{"blank", " \n", false},
		{"two lines", "TOKEN\nX-Evil: 1", false},
		{"blank within", "TOKEN x", false},
		{"control character", "TOKEN\x00", false},
		{"not ASCII", "TOKENé", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				content := strings.ReplaceAll(tt.content, "TOKEN", w.s.Token())
				token, _ := w.ownAccount()
				writeFile(w.T, token, content)
				err := w.getPod()
				if (err == nil) != tt.ok {
					w.Fatal(err)
				}
				if _, newErr := kubeapi.New(w.cfg); (newErr == nil) != tt.ok {
					w.Errorf("New: %v", newErr)
				}
				if tt.ok {
					return
				}
				mayPass(w.T, err)
				if !strings.Contains(err.Error(), token) || strings.Contains(err.Error(), w.s.Token()) {
					w.Errorf("want the file and not the token in: %v", err)
				}
				if n := len(w.s.Requests()); n != 0 {
					w.Errorf("%d requests went out", n)
				}
			})
		})
	}
}

// A missing token is trouble that may pass; at the start, it and a missing or
// unusable CA are told.
func TestAccountFilesMissing(t *testing.T) {
	bubble(t, func(w *world) {
		token, ca := w.ownAccount()
		good, err := os.ReadFile(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(token); err != nil {
			t.Fatal(err)
		}
		err = w.getPod()
		mayPass(w.T, err)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := kubeapi.New(w.cfg); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), token) {
			t.Errorf("New without a token: %v", err)
		}
		writeFile(t, token, string(good))
		if err := w.getPod(); err != nil {
			t.Error(err)
		}
		writeFile(t, ca, "no certificate")
		if _, err := kubeapi.New(w.cfg); err == nil || !strings.Contains(err.Error(), ca) {
			t.Errorf("New with a CA that is none: %v", err)
		}
		if err := os.Remove(ca); err != nil {
			t.Fatal(err)
		}
		if _, err := kubeapi.New(w.cfg); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), ca) {
			t.Errorf("New without a CA: %v", err)
		}
	})
}

// Whatever goes wrong, the token is in no error and no log line.
func TestTokenIsNeverTold(t *testing.T) {
	bubble(t, func(w *world) {
		token, ca := w.ownAccount()
		var told strings.Builder
		try := func() {
			for _, call := range []func() error{w.getPod, w.getJob, w.patch, w.watch} {
				if err := call(); err != nil {
					told.WriteString(err.Error() + "\n")
				}
			}
		}
		w.s.SetAcceptedTokens()
		try()
		for _, fault := range []kubetest.Fault{
			kubetest.HangRequest(), kubetest.LoseRequest(), kubetest.LoseAnswer(), kubetest.Respond(200, "", "x"),
			kubetest.Respond(302, "", "x"), kubetest.Status(403, "", "m"), kubetest.TruncateAnswer(), kubetest.StallAnswer(),
		} {
			w.s.Fault(kubetest.Match{}, fault.Times(4))
			try()
		}
		writeFile(t, ca, "none")
		w.s.Fault(kubetest.Match{}, kubetest.HangRequest().Forever())
		try()
		writeFile(t, token, w.s.Token()+"\nmore")
		try()
		if n := strings.Count(told.String(), "\n"); n < 40 {
			t.Errorf("%d errors only", n)
		}
		if text := told.String() + w.log.String(); strings.Contains(text, w.s.Token()) {
			t.Error(text)
		}
	})
}
