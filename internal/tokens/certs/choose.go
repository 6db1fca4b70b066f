package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// choose picks a certificate and its private key, which may stand in different files of dir.
func choose(dir string, all []content, thumbprint string) (*Certificate, error) {
	if thumbprint == "" {
		return chooseOnly(dir, all)
	}
	cert := named(distinct(all), thumbprint)
	if cert == nil {
		return nil, notThere(dir, all, thumbprint)
	}
	if !isRSA(cert) {
		return nil, notRSA(cert)
	}
	if c := withKey(all, cert); c != nil {
		return c, nil
	}
	return nil, whyNoKey(dir, all, cert)
}

// chooseOnly picks the only certificate that has a private key.
func chooseOnly(dir string, all []content) (*Certificate, error) {
	var found []*Certificate
	for _, cert := range distinct(all) {
		if c := withKey(all, cert); c != nil {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		if certs := distinct(all); len(certs) == 1 {
			return nil, whyNoKey(dir, all, certs[0])
		}
		return nil, notThere(dir, all, "")
	case 1:
		if !isRSA(found[0].leaf) {
			return nil, notRSA(found[0].leaf)
		}
		return found[0], nil
	}
	return nil, fmt.Errorf("several certificates in %s have a private key: say which one with --cert-thumbprint (ExchangeCertThumbprint); found: %s", dir, list(distinct(all)))
}

func named(certs []*x509.Certificate, thumbprint string) *x509.Certificate {
	for _, cert := range certs {
		if Thumbprint(cert) == thumbprint {
			return cert
		}
	}
	return nil
}

// withKey joins cert with its key, wherever that is; nil when there is none.
func withKey(all []content, cert *x509.Certificate) *Certificate {
	for _, file := range all {
		for _, key := range file.keys {
			if belongs(key, cert) {
				return &Certificate{cert, key.(crypto.Signer), file.name}
			}
		}
	}
	return nil
}

func belongs(key crypto.PrivateKey, cert *x509.Certificate) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// whyNoKey finds the likeliest reason why cert has no private key: a file that could not be used, a key that belongs
// to no certificate at all, or that there is none.
func whyNoKey(dir string, all []content, cert *x509.Certificate) error {
	var faults []error
	for _, file := range all {
		if file.fault != nil {
			faults = append(faults, file.fault)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("the certificate %s has no private key that can be used: %w", name(cert), join(faults))
	}
	for _, file := range all {
		for _, key := range file.keys {
			if !belongsToAny(key, all) {
				return fmt.Errorf("the private key in %s does not belong to the certificate %s: export both together", file.name, name(cert))
			}
		}
	}
	return fmt.Errorf("the certificate %s has no private key in %s: put it there, as PEM or with the certificate in a PFX file", name(cert), dir)
}

func belongsToAny(key crypto.PrivateKey, all []content) bool {
	return slices.ContainsFunc(distinct(all), func(c *x509.Certificate) bool { return belongs(key, c) })
}

func notRSA(cert *x509.Certificate) error {
	return fmt.Errorf("the key of the certificate %s is %s, not RSA: Entra accepts no other for an application", name(cert), cert.PublicKeyAlgorithm)
}

// notThere says what is there instead.
func notThere(dir string, all []content, thumbprint string) error {
	what := "no certificate with a private key"
	if thumbprint != "" {
		what = "no certificate with the thumbprint " + thumbprint
	}
	err := fmt.Errorf("there is %s in %s; found: %s", what, dir, list(distinct(all)))
	for _, file := range all {
		if file.fault != nil {
			err = fmt.Errorf("%w; %w", err, file.fault)
		}
	}
	return err
}

// maxListed bounds a message: somebody may name the folder of all the world's authorities.
const maxListed = 8

// list gives thumbprints and subjects.
func list(certs []*x509.Certificate) string {
	var names []string
	for _, c := range certs[:min(len(certs), maxListed)] {
		names = append(names, name(c))
	}
	switch more := len(certs) - maxListed; {
	case len(certs) == 0:
		return "none"
	case more > 0:
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// distinct are the certificates of all files, each once.
func distinct(all []content) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, file := range all {
		for _, cert := range file.certs {
			if !slices.ContainsFunc(certs, cert.Equal) {
				certs = append(certs, cert)
			}
		}
	}
	return certs
}

// join puts errors on one line.
func join(errs []error) error {
	var texts []string
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return errors.New(strings.Join(texts, "; "))
}
