package signin

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
)

// The account that the server knows. It knows no password, only its NT hash (MS-NLMP, section 3.3.1), as a domain
// controller does.
const (
	rightUser     = `CONTOSO\svc`
	rightPassword = "Password"
	ntHash        = "a4f49c406510bdcab6824ee7c30fd852" // of rightPassword: MS-NLMP, section 4.2.2.1.2
)

// server is an Exchange that signs connections in by NTLM. Every field may be set before the first request.
type server struct {
	*httptest.Server
	offers    []string // of a 401; NTLM when nil
	forgets   bool     // signs each request in (authPersistSingleRequest)
	tells     bool     // says so (Persistent-Auth)
	protected bool     // demands channel bindings
	closes    bool     // after each challenge
	anonymous bool     // demands nothing
	account   string   // rightUser when empty
	answer    http.HandlerFunc
	before    func(w http.ResponseWriter, r *http.Request, kind string) bool // true when it has answered

	mu     sync.Mutex
	log    []string // "connection kind" of each request: negotiate, authenticate, plain, basic
	conns  int
	bad    int // wrong passwords
	wasted int // bodies sent only to be refused
}

// conn is what the server knows of a connection.
type conn struct {
	id        int
	challenge []byte
	user      string // who is signed in, "" for nobody
}

type connKey struct{}

func newServer(t *testing.T, change func(*server)) *server {
	t.Helper()
	s := start(t, change)
	s.Server.Start()
	return s
}

func newTLSServer(t *testing.T, change func(*server)) *server {
	t.Helper()
	s := start(t, change)
	s.Server.EnableHTTP2 = true
	s.Server.StartTLS()
	return s
}

func start(t *testing.T, change func(*server)) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewUnstartedServer(s)
	s.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns++
		return context.WithValue(ctx, connKey{}, &conn{id: s.conns})
	}
	if change != nil {
		change(s)
	}
	t.Cleanup(s.Server.Close)
	return s
}

// ServeHTTP implements [http.Handler]. The requests of one connection come one after the other.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	scheme, data, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	message, _ := base64.StdEncoding.DecodeString(data)
	kind := kindOf(scheme, message)
	s.note(kind, r.ContentLength != 0)
	if r.ProtoMajor != 1 {
		http.Error(w, "NTLM needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	if s.before != nil && s.before(w, r, kind) {
		return
	}
	switch {
	case s.anonymous || kind == "plain" && c.user != "":
		s.serve(w, r, c)
	case kind == "negotiate" && s.offering(scheme):
		c.user, c.challenge = "", s.challenge()
		if s.closes {
			w.Header().Set("Connection", "close")
		}
		w.Header().Set("Www-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(c.challenge))
		w.WriteHeader(http.StatusUnauthorized)
	case kind == "authenticate" && s.authentic(c, message, r.TLS):
		s.serve(w, r, c)
	default:
		s.refuse(w, r)
	}
}

func kindOf(scheme string, message []byte) string {
	switch {
	case scheme == "Basic":
		return "basic"
	case len(message) < 12 || !strings.HasPrefix(string(message), "NTLMSSP\x00"):
		return "plain"
	case message[8] == 1:
		return "negotiate"
	case message[8] == 3:
		return "authenticate"
	}
	return "odd"
}

func (s *server) note(kind string, body bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, kind)
	if kind == "negotiate" && body {
		s.wasted++
	}
}

// took returns what has come since, in the order in which it came.
func (s *server) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.log = nil }()
	return strings.Join(s.log, " ")
}

func (s *server) offering(scheme string) bool {
	return s.offers == nil && scheme == "NTLM" || slices.Contains(s.offers, scheme)
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	offers := s.offers
	if offers == nil {
		offers = []string{"NTLM"}
	}
	for _, o := range offers {
		w.Header().Add("Www-Authenticate", o)
	}
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, strings.Repeat("<html>refused</html>", 100))
}

func (s *server) serve(w http.ResponseWriter, r *http.Request, c *conn) {
	if s.forgets {
		c.user = ""
		if s.tells {
			w.Header().Set("Persistent-Auth", "false")
		}
	}
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	_, _ = io.Copy(w, r.Body)
}

// challenge makes a CHALLENGE_MESSAGE (MS-NLMP, section 2.2.1.2).
func (s *server) challenge() []byte {
	info := appendAV(nil, 2, utf16le("CONTOSO")) // NetBIOS domain name
	info = appendAV(info, 1, utf16le("EX01"))    // NetBIOS computer name
	info = appendAV(info, 7, make([]byte, 8))    // time
	info = appendAV(info, avEOL, nil)
	target := utf16le("CONTOSO")
	m := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	m = binary.LittleEndian.AppendUint16(m, uint16(len(target)))
	m = binary.LittleEndian.AppendUint16(m, uint16(len(target)))
	m = binary.LittleEndian.AppendUint32(m, challengeHeader)
	m = binary.LittleEndian.AppendUint32(m, 0xa2898205) // Unicode, NTLM, target information, …
	nonce := make([]byte, 8)
	rand.Read(nonce)
	m = append(append(m, nonce...), make([]byte, 8)...)
	m = binary.LittleEndian.AppendUint16(m, uint16(len(info)))
	m = binary.LittleEndian.AppendUint16(m, uint16(len(info)))
	m = binary.LittleEndian.AppendUint32(m, uint32(challengeHeader+len(target)))
	return append(append(m, target...), info...)
}

// authentic checks an AUTHENTICATE_MESSAGE against the challenge of this connection.
func (s *server) authentic(c *conn, message []byte, state *tls.ConnectionState) bool {
	if c.challenge == nil {
		return false // the handshake began on another connection
	}
	nonce := c.challenge[24:32]
	c.challenge = nil
	response, domain, user := field(message, 20), field(message, 28), field(message, 36)
	account := fromUTF16(domain) + `\` + fromUTF16(user)
	want := s.account
	if want == "" {
		want = rightUser
	}
	ok := account == want && verify(ntHash, fromUTF16(user), fromUTF16(domain), nonce, response)
	if ok && s.protected {
		var cert [sha256.Size]byte
		if state != nil {
			cert = sha256.Sum256(s.Certificate().Raw)
		}
		ok = slices.Equal(avPair(response, avChannelBindings), bindingOf(cert[:]))
	}
	if !ok {
		s.mu.Lock()
		s.bad++
		s.mu.Unlock()
		return false
	}
	c.user = account
	return true
}

// verify checks an NTLMv2 response (MS-NLMP, section 3.3.2).
func verify(ntHash, user, domain string, nonce, response []byte) bool {
	if len(response) < 16+28 {
		return false
	}
	key, _ := hex.DecodeString(ntHash)
	key = mac(key, utf16le(strings.ToUpper(user)+domain))
	return hmac.Equal(response[:16], mac(key, nonce, response[16:]))
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// avPair finds an AV_PAIR in an NTLMv2 response.
func avPair(response []byte, id uint16) []byte {
	for pairs := response[16+28:]; len(pairs) >= 4; {
		size := int(binary.LittleEndian.Uint16(pairs[2:]))
		if len(pairs) < 4+size {
			return nil
		}
		if binary.LittleEndian.Uint16(pairs) == id {
			return pairs[4 : 4+size]
		}
		pairs = pairs[4+size:]
	}
	return nil
}

// bindingOf is what Windows computes of a certificate's hash.
func bindingOf(hash []byte) []byte {
	data := "tls-server-end-point:" + string(hash)
	sum := md5.Sum([]byte(strings.Repeat("\x00", 16) + string([]byte{byte(len(data)), 0, 0, 0}) + data))
	return sum[:]
}

func field(message []byte, at int) []byte {
	if len(message) < at+8 {
		return nil
	}
	size, offset := int(binary.LittleEndian.Uint16(message[at:])), int(binary.LittleEndian.Uint32(message[at+4:]))
	if offset+size > len(message) {
		return nil
	}
	return message[offset : offset+size]
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func fromUTF16(b []byte) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(u))
}

// TestServer_KnowsMicrosoftsExample: the server is worth nothing unless it computes what MS-NLMP, section 4.2.4, does.
func TestServer_KnowsMicrosoftsExample(t *testing.T) {
	nonce, _ := hex.DecodeString("0123456789abcdef")
	response, _ := hex.DecodeString("68cd0ab851e51c96aabc927bebef6a1c" +
		"0101000000000000" + "0000000000000000" + "aaaaaaaaaaaaaaaa" + "00000000" +
		"02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000")
	if !verify(ntHash, "User", "Domain", nonce, response) {
		t.Error("Microsoft's example is refused")
	}
	response[20]++
	if verify(ntHash, "User", "Domain", nonce, response) {
		t.Error("another response is accepted")
	}
}
