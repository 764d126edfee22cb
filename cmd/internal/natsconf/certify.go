package natsconf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

// clockSkew is how far a client's clock may be behind.
const clockSkew = time.Hour

// certify makes an authority and the certificate of the server.
func certify(o Options) ([]File, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), o.Random)
	if err != nil {
		return nil, fmt.Errorf("make the key of the authority: %w", err)
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), o.Random)
	if err != nil {
		return nil, fmt.Errorf("make the key of the server: %w", err)
	}
	authority := template(o, "cutpoint NATS authority")
	authority.IsCA, authority.BasicConstraintsValid, authority.MaxPathLenZero = true, true, true
	authority.KeyUsage = x509.KeyUsageCertSign
	server := template(o, "cutpoint NATS server")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range o.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, host)
		}
	}
	authorityPEM, err := sign(authority, authority, authorityKey.Public(), authorityKey, o.Random)
	if err != nil {
		return nil, err
	}
	serverPEM, err := sign(server, authority, serverKey.Public(), authorityKey, o.Random)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		return nil, err
	}
	return []File{
		{Name: AuthorityFile, Data: authorityPEM},
		{Name: certificate, Data: serverPEM},
		{Name: privateKey, Data: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), Secret: true},
	}, nil
}

func template(o Options, name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: o.Now.Add(-clockSkew), NotAfter: o.Now.Add(Validity),
	}
}

// sign gives a certificate a serial number of 128 random bits less one, so that it is positive, and signs it.
func sign(c, by *x509.Certificate, key crypto.PublicKey, with crypto.Signer, random io.Reader) ([]byte, error) {
	var number [16]byte
	if _, err := io.ReadFull(random, number[:]); err != nil {
		return nil, err
	}
	number[0] = number[0]&0x7f | 0x40
	c.SerialNumber = new(big.Int).SetBytes(number[:])
	der, err := x509.CreateCertificate(random, c, by, key, with)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", c.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
