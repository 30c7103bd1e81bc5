package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// certificates has the certificates of the lab's servers, and the pool that its
// clients trust.
type certificates struct {
	pool                                      *x509.CertPool
	good, otherHost, expired, future, unknown tls.Certificate
}

var authority = sync.OnceValue(func() *certificates {
	trusted, stranger := newAuthority(), newAuthority()
	c := &certificates{pool: x509.NewCertPool()}
	c.pool.AddCert(trusted.cert)
	here, now := net.IPv4(127, 0, 0, 1), time.Now()
	c.good = trusted.issue(here, now.Add(-time.Hour))
	c.otherHost = trusted.issue(net.IPv4(127, 0, 0, 2), now.Add(-time.Hour))
	c.expired = trusted.issue(here, now.Add(-12*time.Hour))
	c.future = trusted.issue(here, now.Add(5*time.Hour))
	c.unknown = stranger.issue(here, now.Add(-time.Hour))
	return c
})

type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() *issuer {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &issuer{cert: must(x509.ParseCertificate(der)), key: key}
}

// issue makes a certificate valid for 10 hours.
func (i *issuer) issue(ip net.IP, from time.Time) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{ip},
		NotBefore: from, NotAfter: from.Add(10 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must(x509.CreateCertificate(rand.Reader, template, i.cert, key.Public(), i.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
