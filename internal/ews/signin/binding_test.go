package signin

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"github.com/Azure/go-ntlmssp"
)

// TestBindingHash holds the binding against what another implementation makes of the same certificate (python's
// ntlm-auth 1.4.0, with the SHA-256 of 100 times "x").
func TestBindingHash(t *testing.T) {
	cert := &x509.Certificate{Raw: []byte(strings.Repeat("x", 100)), SignatureAlgorithm: x509.SHA256WithRSA}
	hash := bindingHash(cert)
	if got := hex.EncodeToString(hash[:]); got != pythonsHash {
		t.Error(got)
	}
}

const pythonsHash = "0d7ec49d50afdd64e343c8b1233f5407"

func TestEndPointHash(t *testing.T) {
	for algorithm, want := range map[x509.SignatureAlgorithm]crypto.Hash{
		x509.MD5WithRSA: crypto.SHA256, x509.SHA1WithRSA: crypto.SHA256, x509.ECDSAWithSHA1: crypto.SHA256,
		x509.SHA256WithRSA: crypto.SHA256, x509.SHA256WithRSAPSS: crypto.SHA256, x509.PureEd25519: crypto.SHA256,
		x509.SHA384WithRSA: crypto.SHA384, x509.ECDSAWithSHA384: crypto.SHA384, x509.SHA384WithRSAPSS: crypto.SHA384,
		x509.SHA512WithRSA: crypto.SHA512, x509.ECDSAWithSHA512: crypto.SHA512, x509.SHA512WithRSAPSS: crypto.SHA512,
	} {
		if got := endPointHash(&x509.Certificate{SignatureAlgorithm: algorithm}); got != want || !got.Available() {
			t.Errorf("%v: %v", algorithm, got)
		}
	}
}

func TestWithBinding_LeavesAloneWhatItCannotRead(t *testing.T) {
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("x")}}}
	challenge := new(server).challenge()
	far := bytes.Clone(challenge)
	far[44] = 0xff
	noInfo := bytes.Clone(challenge)
	noInfo[40], noInfo[41] = 0, 0
	for name, c := range map[string][]byte{"short": challenge[:40], "nothing": nil, "beyond the end": far, "no target information": noInfo} {
		if got := withBinding(c, state); !bytes.Equal(got, c) {
			t.Errorf("%s: %x", name, got)
		}
	}
	if got := withBinding(challenge, &tls.ConnectionState{}); !bytes.Equal(got, challenge) {
		t.Error("changed without a certificate")
	}
	once := withBinding(challenge, state)
	if twice := withBinding(once, state); bytes.Count(twice[len(once):], []byte{avChannelBindings, 0, 16, 0}) != 1 {
		t.Errorf("a binding that the server sent is kept: %x", twice)
	}
}

// FuzzWithBinding: whatever a server sends, nothing panics, and an answer is made of the challenge or refused.
func FuzzWithBinding(f *testing.F) {
	f.Add(new(server).challenge())
	f.Add([]byte("NTLMSSP\x00\x02\x00\x00\x00"))
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("x")}}}
	f.Fuzz(func(t *testing.T, challenge []byte) {
		_, _ = ntlmssp.NewAuthenticateMessage(withBinding(challenge, state), rightUser, rightPassword, nil)
	})
}

// TestServer_TakesAnotherClient: a client of another house is signed in by the server of these tests, so that both are
// not wrong in the same way.
func TestServer_TakesAnotherClient(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import requests_ntlm").Run(); err != nil {
		t.Skip("python3-requests-ntlm is not installed")
	}
	script := `
import requests, requests_ntlm, sys, warnings
warnings.simplefilter("ignore")
for password in sys.argv[3:]:
    s = requests.Session()
    s.auth = requests_ntlm.HttpNtlmAuth(sys.argv[2], password)
    print(s.post(sys.argv[1], data="hello", verify=False).status_code)
`
	zero := strings.Repeat("0", 32) + ":" // it takes hashes for passwords, and cannot compute them where OpenSSL has no MD4
	for _, s := range []*server{newServer(t, nil), newTLSServer(t, func(s *server) { s.protected = true })} {
		out, err := exec.Command(python, "-c", script, s.URL, rightUser, zero+ntHash, zero+strings.Repeat("1", 32)).CombinedOutput()
		if err != nil || strings.Join(strings.Fields(string(out)), " ") != "200 401" {
			t.Errorf("%s: %s, %v", s.URL, out, err)
		}
	}
}
