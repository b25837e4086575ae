package kubetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ServiceAccountDir is a directory with the files token and ca.crt, laid out as
// the kubelet does it: links into ..data, itself a link to a directory that
// every change replaces.
func (s *Server) ServiceAccountDir() string { return s.dir }

// Token is the content of the token file.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// RotateToken replaces the token in its file, and then accepts it, beside the
// former ones if keepOld is true, else alone.
func (s *Server) RotateToken(token string, keepOld bool) {
	ca, err := os.ReadFile(filepath.Join(s.dir, "ca.crt"))
	if err == nil {
		err = s.writeServiceAccount(ca, token)
	}
	if err != nil {
		s.errorf("kubetest: RotateToken: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !keepOld {
		clear(s.tokens)
	}
	s.tokens[token] = true
	s.token = token
}

// SetAcceptedTokens makes tokens the only ones accepted; the token file stays
// as it is. Without tokens every request gets 401.
func (s *Server) SetAcceptedTokens(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
	for _, t := range tokens {
		s.tokens[t] = true
	}
}

func (s *Server) initServiceAccount(ca []byte) error {
	s.token = "kubetest-token-" + rand.Text()
	s.tokens = map[string]bool{s.token: true}
	if err := s.writeServiceAccount(ca, s.token); err != nil {
		return err
	}
	for _, name := range []string{"token", "ca.crt"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// writeServiceAccount makes a new directory and swaps the link ..data over to
// it in one step, as the kubelet's atomic writer does.
func (s *Server) writeServiceAccount(ca []byte, token string) error {
	data, tmp := filepath.Join(s.dir, "..data"), filepath.Join(s.dir, "..data_tmp")
	old, _ := os.Readlink(data)
	dir, err := os.MkdirTemp(s.dir, time.Now().Format("..2006_01_02_15_04_05."))
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{"token": token, "ca.crt": string(ca)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink(filepath.Base(dir), tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, data); err != nil {
		return err
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(s.dir, old))
}

// newCertificates makes a CA, as PEM, and a certificate that it signed for host
// and the usual names. They are valid from 1990 to 2190: the clock of a
// synctest bubble starts in 2000. Every server has a CA of its own, so that one
// server's client does not trust another.
func newCertificates(host string) (ca []byte, cert tls.Certificate, err error) {
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: name},
			NotBefore:    time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
			NotAfter:     time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC),
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, err
	}
	parent := template("kubetest-ca")
	parent.IsCA, parent.BasicConstraintsValid = true, true
	parent.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, parent, parent, caKey.Public(), caKey)
	if err != nil {
		return nil, cert, err
	}
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, cert, err
	}
	leaf := template("kube-apiserver")
	leaf.SerialNumber = big.NewInt(2)
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = append(leaf.DNSNames, host)
	}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), caKey); err != nil {
		return nil, cert, fmt.Errorf("certificate for %s: %w", host, err)
	}
	return ca, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
