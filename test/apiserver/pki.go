package apiserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// pki is a CA and what it signed, as files.
type pki struct {
	dir   string
	caKey *ecdsa.PrivateKey
	ca    *x509.Certificate
	roots *x509.CertPool
}

// newPKI makes a CA, the server's certificate, the administrator's, and the key
// that signs ServiceAccount tokens.
func newPKI(dir string) (*pki, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{dir: dir, roots: x509.NewCertPool()}
	ca := template(pkix.Name{CommonName: "test-ca"})
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	if err := p.sign("ca", ca); err != nil {
		return nil, err
	}
	server := template(pkix.Name{CommonName: "kube-apiserver"})
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	server.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	if err := p.sign("server", server); err != nil {
		return nil, err
	}
	if err := p.sign("admin", template(pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})); err != nil {
		return nil, err
	}
	_, err := p.key("tokens")
	return p, err
}

func template(name pkix.Name) *x509.Certificate {
	return &x509.Certificate{
		Subject: name, SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (p *pki) path(file string) string { return filepath.Join(p.dir, file) }

// sign makes NAME.key and NAME.crt; the first is the CA, which signs itself.
func (p *pki) sign(name string, cert *x509.Certificate) error {
	key, err := p.key(name)
	if err != nil {
		return err
	}
	if p.ca == nil {
		p.ca, p.caKey = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, p.ca, key.Public(), p.caKey)
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if cert == p.ca {
		p.roots.AppendCertsFromPEM(data)
	}
	return os.WriteFile(p.path(name+".crt"), data, 0o600)
}

func (p *pki) key(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(p.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// client is one that authenticates with the certificate NAME.
func (p *pki) client(name string) (*client, error) {
	cert, err := tls.LoadX509KeyPair(p.path(name+".crt"), p.path(name+".key"))
	if err != nil {
		return nil, err
	}
	return &client{http: &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: p.roots, Certificates: []tls.Certificate{cert}},
		ForceAttemptHTTP2: true,
	}}}, nil
}

// anonymous is a client that has no certificate.
func (p *pki) anonymous() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true}}
}

// kubeconfig writes one for a user that a new certificate names.
func (p *pki) kubeconfig(user, server string) (file string, err error) {
	if err := p.sign(user, template(pkix.Name{CommonName: user})); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]any{ // YAML holds JSON
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"contexts": []any{map[string]any{"name": "test", "context": map[string]string{"cluster": "test", "user": user}}},
		"clusters": []any{map[string]any{"name": "test", "cluster": map[string]string{
			"server": server, "certificate-authority": p.path("ca.crt"),
		}}},
		"users": []any{map[string]any{"name": user, "user": map[string]string{
			"client-certificate": p.path(user + ".crt"), "client-key": p.path(user + ".key"),
		}}},
	})
	if err != nil {
		return "", err
	}
	file = p.path(user + ".kubeconfig")
	return file, os.WriteFile(file, data, 0o600)
}

// insecure is a client that trusts everyone, for health checks on loopback.
func insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}
