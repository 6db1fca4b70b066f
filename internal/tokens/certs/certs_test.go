package certs

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"roomsync/internal/tokens"
)

func TestParseThumbprint(t *testing.T) {
	const want = "A909502DD82AE41433E6F83886B00D4277A32A7B"
	for _, s := range []string{
		want, strings.ToLower(want),
		"\u200ea9 09 50 2d d8 2a e4 14 33 e6 f8 38 86 b0 0d 42 77 a3 2a 7b",
		"A9:09:50:2D:D8:2A:E4:14:33:E6:F8:38:86:B0:0D:42:77:A3:2A:7B",
		"\ufeff" + want + "\u00a0\r\n", "A909502D-D82AE414-33E6F838-86B00D42-77A32A7B",
	} {
		if got, err := ParseThumbprint(s); got != want || err != nil {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for s, part := range map[string]string{
		"": "0 hexadecimal", want[1:]: "39 hexadecimal", want + "0": "41 hexadecimal",
		want[:38] + "0G":                   `'G'`,
		strings.Repeat("ab", 32):           "SHA-256",
		"CN=roomsync":                      "no hexadecimal digit",
		strings.Replace(want, "0", "О", 1): "no hexadecimal digit",
	} {
		if got, err := ParseThumbprint(s); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %q, %v, want %q", s, got, err, part)
		}
	}
}

func TestNew_Options(t *testing.T) {
	if _, err := New(Options{Dir: ".", Thumbprint: "nonsense"}); err == nil {
		t.Error("took any thumbprint")
	}
	if _, err := New(Options{}); runtime.GOOS != "windows" && (err == nil || !strings.Contains(err.Error(), "--cert-dir")) {
		t.Errorf("no folder: %v", err)
	}
}

// TestFolder_Forms finds the certificate in every form that it may have.
func TestFolder_Forms(t *testing.T) {
	cert, other := good(t, "roomsync", keyA()), good(t, "other", keyB())
	forms := map[string]map[string]string{
		"one file, PKCS #8":            {"app.pem": certPEM(cert) + pkcs8PEM(t, keyA())},
		"one file, PKCS #1, key first": {"app.pem": pkcs1PEM(keyA()) + certPEM(cert)},
		"two files":                    {"tls.crt": certPEM(cert), "tls.key": pkcs8PEM(t, keyA())},
		"names that say nothing":       {"a": certPEM(cert), "b": pkcs1PEM(keyA())},
		"certificate in DER":           {"app.cer": string(cert.Raw), "app.key": pkcs8PEM(t, keyA())},
		"byte order mark, text":        {"app.pem": "\ufeff" + certPEM(cert) + "Bag Attributes\r\n  friendlyName: x\r\n" + pkcs8PEM(t, keyA())},
		"chain":                        {"app.pem": certPEM(other) + certPEM(cert) + pkcs8PEM(t, keyA())},
		"PFX, AES":                     {"app.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "pw")},
		"PFX, AES and PBMAC1":          {"app.pfx": pfx(t, pkcs12.Modern2026, keyA(), cert, nil, "pw")},
		"PFX, Triple DES":              {"app.p12": pfx(t, pkcs12.LegacyDES, keyA(), cert, nil, "pw")},
		"PFX, RC2":                     {"app.p12": pfx(t, pkcs12.LegacyRC2, keyA(), cert, nil, "pw")},
		"PFX with a chain":             {"app.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, []*x509.Certificate{other}, "pw")},
		"PFX without a password":       {"app.pfx": pfx(t, pkcs12.Passwordless, keyA(), cert, nil, "")},
		"PFX with an empty password":   {"app.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "")},
		"beside others":                {"a.pem": certPEM(other) + pkcs8PEM(t, keyB()), "b.pem": certPEM(cert) + pkcs8PEM(t, keyA()), "README": "text", "x.pfx": pfx(t, pkcs12.Modern2023, keyB(), other, nil, "another")},
		"twice":                        {"a.pem": certPEM(cert), "app.pem": certPEM(cert) + pkcs8PEM(t, keyA()), "app.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "pw")},
	}
	for name, files := range forms {
		t.Run(name, func(t *testing.T) {
			o := Options{Dir: write(t, files), Thumbprint: strings.ToLower(Thumbprint(cert)), Password: password("pw")}
			c, err := open(t, o).Certificate()
			wantSigner(t, c, err, cert)
		})
	}
}

// TestFolder_Kubernetes: a volume of secrets is made of links, and is swapped by one.
func TestFolder_Kubernetes(t *testing.T) {
	cert := good(t, "roomsync", keyA())
	dir := t.TempDir()
	real := filepath.Join(dir, "..2026_11_24")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, real, "tls.crt", certPEM(cert))
	put(t, real, "tls.key", pkcs8PEM(t, keyA()))
	for link, to := range map[string]string{"..data": "..2026_11_24", "tls.crt": "..data/tls.crt", "tls.key": "..data/tls.key"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	c, err := open(t, Options{Dir: dir}).Certificate()
	wantSigner(t, c, err, cert)
}

func TestFolder_Faults(t *testing.T) {
	cert, other, ec := good(t, "roomsync", keyA()), good(t, "other", keyB()), ecKey(t)
	ecCert := good(t, "elliptic", ec)
	thumb := Thumbprint(cert)
	encrypted := "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
	legacy := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	tests := map[string]struct {
		files map[string]string
		o     Options
		want  []string
	}{
		"nothing there":         {nil, Options{}, []string{"no certificate with the thumbprint " + thumb, "found: none"}},
		"others there":          {map[string]string{"a.pem": certPEM(other) + pkcs8PEM(t, keyB())}, Options{}, []string{"no certificate with the thumbprint " + thumb, Thumbprint(other), "CN=other"}},
		"no key":                {map[string]string{"a.pem": certPEM(cert)}, Options{}, []string{"has no private key in"}},
		"key of another":        {map[string]string{"a.pem": certPEM(cert), "b.pem": certPEM(other) + pkcs8PEM(t, keyB())}, Options{}, []string{"has no private key in"}},
		"key that fits nothing": {map[string]string{"tls.crt": certPEM(cert), "tls.key": pkcs8PEM(t, keyB())}, Options{}, []string{"the private key in tls.key does not belong to the certificate " + thumb}},
		"not RSA":               {map[string]string{"a.pem": certPEM(ecCert) + pkcs8PEM(t, ec)}, Options{Thumbprint: Thumbprint(ecCert)}, []string{"ECDSA, not RSA"}},
		"not RSA, SEC 1, only":  {map[string]string{"a.pem": certPEM(ecCert) + secPEM(t, ec)}, Options{Thumbprint: " "}, []string{"ECDSA, not RSA"}},
		"encrypted key":         {map[string]string{"a.pem": certPEM(cert) + encrypted}, Options{}, []string{"a.pem holds an encrypted private key", "openssl pkcs12"}},
		"encrypted key, old":    {map[string]string{"a.pem": certPEM(cert) + legacy}, Options{}, []string{"a.pem holds an encrypted private key"}},
		"broken key":            {map[string]string{"a.pem": certPEM(cert) + strings.Replace(pkcs8PEM(t, keyA()), "MIIE", "MIJE", 1)}, Options{}, []string{"a.pem holds a private key that cannot be decoded"}},
		"broken certificate":    {map[string]string{"a.pem": strings.Replace(certPEM(cert), "MII", "MIJ", 1)}, Options{}, []string{"a.pem holds a certificate that cannot be decoded"}},
		"wrong PFX password":    {map[string]string{"a.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "right")}, Options{Password: password("wrong")}, []string{"a.pfx cannot be opened", "--cert-password-file"}},
		"wrong password, old":   {map[string]string{"a.pfx": pfx(t, pkcs12.LegacyRC2, keyA(), cert, nil, "right")}, Options{Password: password("wrong")}, []string{"a.pfx cannot be opened"}},
		"no PFX password":       {map[string]string{"a.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "right")}, Options{}, []string{"a.pfx needs a password"}},
		"password cannot be read": {map[string]string{"a.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "right")},
			Options{Password: func() (tokens.Secret, error) { return tokens.Secret{}, errNoPassword }}, []string{"the password of a.pfx", errNoPassword.Error()}},
		"cut PFX": {map[string]string{"a.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "pw")[:900]}, Options{Password: password("pw")}, []string{"a.pfx cannot be decoded", "export"}},
		"several": {map[string]string{"a.pem": certPEM(cert) + pkcs8PEM(t, keyA()), "b.pem": certPEM(other) + pkcs8PEM(t, keyB())}, Options{Thumbprint: " "},
			[]string{"several certificates", "--cert-thumbprint", thumb, Thumbprint(other)}},
		"only one, no key":  {map[string]string{"a.pem": certPEM(cert)}, Options{Thumbprint: " "}, []string{thumb, "has no private key in"}},
		"two, none has one": {map[string]string{"a.pem": certPEM(cert) + certPEM(other)}, Options{Thumbprint: " "}, []string{"no certificate with a private key", thumb}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.o.Dir = write(t, tt.files)
			switch tt.o.Thumbprint {
			case "":
				tt.o.Thumbprint = thumb
			case " ":
				tt.o.Thumbprint = ""
			}
			wantError(t, tt.o, tt.want...)
		})
	}
	wantError(t, Options{Dir: filepath.Join(t.TempDir(), "missing"), Thumbprint: thumb}, "--cert-dir", "missing")
}

func TestFolder_ListsNoMoreThanAFew(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("%d.pem", i)] = certPEM(good(t, fmt.Sprintf("ca-%d", i), keyA()))
	}
	wantError(t, Options{Dir: write(t, files), Thumbprint: strings.Repeat("0", 40)}, "and 12 more")
}

func TestFolder_Rights(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other rights")
	}
	cert := good(t, "roomsync", keyA())
	dir := write(t, map[string]string{"tls.crt": certPEM(cert), "tls.key": pkcs8PEM(t, keyA()), "app.pfx": pfx(t, pkcs12.Modern2023, keyB(), good(t, "x", keyB()), nil, "pw")})
	o := Options{Dir: dir, Thumbprint: Thumbprint(cert)}
	chmod(t, dir, "tls.crt", 0o644)
	chmod(t, dir, "tls.key", 0o604)
	wantError(t, o, "tls.key can be read or changed by everybody", "chmod 0400")
	chmod(t, dir, "tls.key", 0o640)
	if _, err := open(t, o).Certificate(); err != nil {
		t.Errorf("a public certificate may be read by everybody, and a key by its group: %v", err)
	}
	chmod(t, dir, "app.pfx", 0o644)
	wantError(t, Options{Dir: dir, Thumbprint: strings.Repeat("0", 40), Password: password("pw")}, "app.pfx can be read or changed by everybody")
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	chmod(t, dir, "tls.key", 0)
	wantError(t, o, "Keyset does not exist", "tls.key", "chgrp", "Manage Private Keys")
}

func chmod(t *testing.T, dir, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
		t.Fatal(err)
	}
}

func TestFolder_Dates(t *testing.T) {
	for name, tt := range map[string]struct {
		from, until time.Duration
		want        string
	}{
		"expired":       {-year, -time.Minute, "expired on "},
		"not yet valid": {time.Hour, year, "valid only from "},
	} {
		cert := issue(t, keyA(), name, tt.from, tt.until)
		dir := write(t, map[string]string{"a.pem": certPEM(cert) + pkcs8PEM(t, keyA())})
		day := map[bool]time.Time{true: cert.NotBefore, false: cert.NotAfter}[tt.from > 0].UTC().Format("2006-01-02")
		wantError(t, Options{Dir: dir, Thumbprint: Thumbprint(cert)}, Thumbprint(cert), tt.want+day)
	}
}

func TestStore_WarnsBeforeTheEnd(t *testing.T) {
	var told warnings
	cert := issue(t, keyA(), "roomsync", -year, 29*24*time.Hour)
	s := open(t, Options{Dir: write(t, map[string]string{"a.pem": certPEM(cert) + pkcs8PEM(t, keyA())}), Warn: told.add})
	if !s.NotAfter().IsZero() {
		t.Error("knows the end of a certificate that was not looked for")
	}
	for range 3 {
		if _, err := s.Certificate(); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || !told.has("expires on "+cert.NotAfter.UTC().Format("2006-01-02")) {
		t.Errorf("told %q", told)
	}
	if !s.NotAfter().Equal(cert.NotAfter) {
		t.Errorf("ends %v", s.NotAfter())
	}
}

// TestStore_InTheCourseOfTime: one warning a day, and the end at the end.
func TestStore_InTheCourseOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told warnings
		cert := issue(t, keyA(), "roomsync", -year, 32*24*time.Hour)
		s := open(t, Options{Dir: write(t, map[string]string{"a.pem": certPEM(cert) + pkcs8PEM(t, keyA())}), Warn: told.add})
		days := 0
		for {
			if _, err := s.Certificate(); err != nil {
				if !strings.Contains(err.Error(), "expired") {
					t.Error(err)
				}
				break
			}
			time.Sleep(time.Hour)
			days++
		}
		if days/24 != 32 || len(told) != 30 {
			t.Errorf("good for %d days, %d warnings", days/24, len(told))
		}
	})
}

func TestStore_Rotation(t *testing.T) {
	old, renewed := good(t, "old", keyA()), good(t, "renewed", keyB())
	var told warnings
	dir := write(t, map[string]string{"tls.crt": certPEM(old), "tls.key": pkcs8PEM(t, keyA())})
	s := open(t, Options{Dir: dir, Warn: told.add})
	want := func(cert *x509.Certificate) {
		t.Helper()
		c, err := s.Certificate()
		wantSigner(t, c, err, cert)
	}
	want(old)
	put(t, dir, "tls.crt", certPEM(renewed)) // its key is not there yet
	want(old)
	want(old)
	if len(told) != 1 || !told.has("does not belong") || !told.has("stays in use") {
		t.Errorf("told %q", told)
	}
	put(t, dir, "tls.key", pkcs8PEM(t, keyB()))
	want(renewed)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	want(renewed)
	if len(told) != 2 || !told.has("--cert-dir") {
		t.Errorf("told %q", told)
	}
}

// TestStore_LooksCheaply: files are read again only when something about them has changed.
func TestStore_LooksCheaply(t *testing.T) {
	cert := good(t, "roomsync", keyA())
	dir := write(t, map[string]string{"a.pfx": pfx(t, pkcs12.Modern2023, keyA(), cert, nil, "pw")})
	opened := 0
	s := open(t, Options{Dir: dir, Thumbprint: Thumbprint(cert), Password: func() (tokens.Secret, error) {
		opened++
		return tokens.NewSecret("pw"), nil
	}})
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			put(t, dir, "unrelated", "text")
		}
		if _, err := s.Certificate(); err != nil || opened != want {
			t.Errorf("look %d: read %d times, want %d, %v", i, opened, want, err)
		}
	}
}

func TestCertificate_ShowsNothingOfTheKey(t *testing.T) {
	cert := good(t, "roomsync", keyA())
	c, err := open(t, Options{Dir: write(t, map[string]string{"a.pem": certPEM(cert) + pkcs8PEM(t, keyA())})}).Certificate()
	wantSigner(t, c, err, cert)
	data, _ := json.Marshal(map[string]any{"certificate": c})
	text := fmt.Sprintf("%v %+v %#v %s %q %v %+v", c, c, c, c, c, *c, *c) + string(data)
	for _, secret := range []string{keyA().D.String(), keyA().Primes[0].String(), fmt.Sprintf("%x", keyA().D)} {
		if strings.Contains(text, secret) {
			t.Errorf("a part of the key is in %s", text)
		}
	}
}
