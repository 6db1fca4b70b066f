package exchangesim

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"roomsync/internal/exchangesim/entra"
	"roomsync/internal/exchangesim/store"
)

// pipes is a listener in memory, so that a server can run in a synctest bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8445} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// client is a simulator that serves on a listener in memory, and a client of it.
type client struct {
	t    *testing.T
	sim  *Server
	http *http.Client
	stop func()
}

// newClient starts a simulator. stop must be called before the bubble ends.
func newClient(t *testing.T, opts Options) *client {
	t.Helper()
	sim, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- sim.Serve(ctx, p) }()
	tr := &http.Transport{DialContext: p.dial, DisableCompression: true}
	c := &client{t: t, sim: sim, http: &http.Client{Transport: tr, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	c.stop = func() {
		tr.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	return c
}

const anna = "user0001@contoso.example"

const nsT, nsM = "http://schemas.microsoft.com/exchange/services/2006/types", "http://schemas.microsoft.com/exchange/services/2006/messages"

func envelope(header, body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="` + nsT + `" xmlns:m="` + nsM + `"><s:Header>` +
		`<t:RequestServerVersion Version="Exchange2013_SP1"/>` + header + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

func impersonate(address string) string {
	return `<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` + address + `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`
}

const syncFolder = `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>` +
	`<t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId><m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>`

func getItems(items []*store.Item) string {
	var ids strings.Builder
	for _, it := range items {
		fmt.Fprintf(&ids, `<t:ItemId Id=%q/>`, it.ID)
	}
	return `<m:GetItem><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:ItemIds>` + ids.String() + `</m:ItemIds></m:GetItem>`
}

const createItem = `<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:Subject>Lunch</t:Subject>` +
	`<t:Start>2026-11-23T12:00:00Z</t:Start><t:End>2026-11-23T13:00:00Z</t:End></t:CalendarItem></m:Items></m:CreateItem>`

func updateItem(it *store.Item) string {
	return `<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>` +
		fmt.Sprintf(`<t:ItemId Id=%q ChangeKey=%q/>`, it.ID, it.ChangeKey) + `<t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/>` +
		`<t:CalendarItem><t:Subject>Late lunch</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
}

func (c *client) items() []*store.Item {
	c.t.Helper()
	m := c.sim.Company().Mailbox(anna)
	all, err := m.Items(m.Calendar())
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// soap is a request for anna's mailbox, in which the operation is tried that a fault is made for.
func (c *client) soap(operation string) string {
	switch operation {
	case "GetItem":
		return getItems(c.items()[:3])
	case "CreateItem":
		return createItem
	case "UpdateItem":
		return updateItem(c.items()[0])
	}
	return syncFolder
}

func (c *client) ews(body string, auth func(*http.Request)) string {
	return c.see(func() (*http.Response, error) {
		req, err := http.NewRequest("POST", "http://"+"sim.example"+EWSPath, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
		auth(req)
		return c.http.Do(req)
	})
}

func basic(address string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(address, entra.DefaultPassword) }
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func (c *client) postToken() (*http.Response, error) {
	return c.http.PostForm("http://sim.example/sim-tenant/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"sim-app"}, "client_secret": {"sim-secret"}, "scope": {entra.Audience + "/.default"},
	})
}

// token gets an access token for the app.
func (c *client) token() string {
	c.t.Helper()
	res, err := c.postToken()
	if err != nil {
		c.t.Fatal(err)
	}
	return c.accessToken(res)
}

// userToken gets a token for the service user by the password grant.
func (c *client) userToken() string {
	c.t.Helper()
	res, err := c.http.PostForm("http://sim.example/sim-tenant/oauth2/v2.0/token", url.Values{
		"grant_type": {"password"}, "client_id": {"sim-app"}, "scope": {entra.Audience + "/.default"},
		"username": {ServiceUser}, "password": {entra.DefaultPassword},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.accessToken(res)
}

func (c *client) accessToken(res *http.Response) string {
	c.t.Helper()
	defer res.Body.Close()
	var doc struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil || doc.Token == "" {
		c.t.Fatalf("no token: %v", err)
	}
	return doc.Token
}

// see makes a call and puts what a client sees on the wire into a few words.
func (c *client) see(do func() (*http.Response, error)) string {
	res, err := do()
	if err != nil {
		return failure(err)
	}
	defer res.Body.Close()
	if res.Header.Get(SimulatedHeader) != "true" {
		c.t.Errorf("an answer does not say that it is simulated")
	}
	body, err := io.ReadAll(res.Body)
	words := append([]string{fmt.Sprint(res.StatusCode)}, headers(res.Header)...)
	switch {
	case err != nil && len(body) > 0:
		words = append(words, strings.Join(append(res.TransferEncoding, "part"), " "), failure(err))
	case err != nil:
		words = append(words, failure(err))
	default:
		words = append(words, content(res, string(body))...)
	}
	return strings.Join(words, " ")
}

func failure(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "time-out"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "no answer"
}

func headers(h http.Header) []string {
	var words []string
	if v := h.Get("Retry-After"); v != "" {
		if _, err := http.ParseTime(v); err == nil {
			v = "date"
		}
		words = append(words, "retry-after="+v)
	}
	if v := h.Get("Location"); v != "" {
		words = append(words, "location="+v)
	}
	for _, name := range []string{"X-CasErrorCode", "Proxy-Authenticate", "Content-Encoding"} {
		if v := h.Get(name); v != "" {
			words = append(words, strings.ToLower(name)+"="+v)
		}
	}
	if v := h.Get("X-Ms-Diagnostics"); v != "" {
		words = append(words, "diagnostics="+v[:7])
	}
	if v := h.Get("X-EWS-Policy-Reason"); v != "" {
		words = append(words, "policy="+strings.Fields(v)[2])
	}
	challenge := strings.Join(h.Values("Www-Authenticate"), " ")
	for _, word := range []string{"Bearer", "Basic", `error="invalid_token"`, "claims="} {
		if strings.Contains(challenge, word) {
			words = append(words, word)
		}
	}
	return words
}

var (
	codes   = regexp.MustCompile(`<m:ResponseCode>(\w+)<`)
	faulted = regexp.MustCompile(`<faultcode[^>]*>\w+:(\w+)<`)
	backOff = regexp.MustCompile(`Name="BackOffMilliseconds">(\d+)<`)
	inner   = regexp.MustCompile(`Name="InnerErrorResponseCode">(\w+)<`)
)

func content(res *http.Response, body string) []string {
	var words []string
	switch kind := res.Header.Get("Content-Type"); {
	case body == "":
		return []string{"empty"}
	case res.Header.Get("Content-Encoding") == "gzip":
		z, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			return []string{err.Error()}
		}
		n, err := io.Copy(io.Discard, z)
		return []string{fmt.Sprintf("%d MB in less than %d kB %v", n>>20, (len(body)>>17+1)<<7, err)}
	case len(body) > 1<<20:
		return []string{fmt.Sprintf("%d MB", len(body)>>20)}
	case strings.Contains(kind, "html"):
		return []string{"html"}
	case strings.Contains(kind, "json"):
		return jsonWords(body)
	case strings.Contains(body, "2003/05/soap-envelope"):
		return []string{"soap 1.2"}
	case strings.HasPrefix(body, "\xff\xfe<\x00") && strings.Contains(kind, "utf-16"):
		return []string{"utf-16"}
	case !strings.Contains(body, "Envelope>"):
		return []string{"xml without an end"}
	}
	if strings.HasPrefix(body, "\xef\xbb\xbf") {
		words = append(words, "byte order mark")
	}
	if m := faulted.FindStringSubmatch(body); m != nil {
		words = append(words, "fault "+m[1])
	}
	var all []string
	for _, m := range codes.FindAllStringSubmatch(body, -1) {
		all = append(all, m[1])
	}
	if len(all) > 0 {
		words = append(words, strings.Join(all, ","))
	}
	if m := inner.FindStringSubmatch(body); m != nil {
		words = append(words, "inner="+m[1])
	}
	if m := backOff.FindStringSubmatch(body); m != nil {
		words = append(words, "back-off="+m[1])
	}
	if n := strings.Count(body, "<t:Create>"); n > 5 { // anna has five
		words = append(words, fmt.Sprint(n, " changes"))
	}
	if strings.Contains(body, "<m:IncludesLastItemInRange>false<") {
		words = append(words, "not the last")
	}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil && time.Since(at).Abs() > time.Minute {
		words = append(words, (-time.Since(at)).Round(time.Minute).String()+" off")
	}
	if strings.Contains(body, "&#xB;") {
		words = append(words, "illegal character")
	}
	return words
}

func jsonWords(body string) []string {
	var doc struct {
		Error   string          `json:"error"`
		Codes   []int           `json:"error_codes"`
		Token   string          `json:"access_token"`
		Expires json.RawMessage `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		return []string{"broken json"}
	}
	switch {
	case len(doc.Codes) > 0:
		return []string{doc.Error, fmt.Sprint(doc.Codes[0])}
	case doc.Error != "":
		return []string{"json"}
	case doc.Token == "":
		return []string{"no token"}
	case doc.Expires == nil:
		return []string{"token without expiry"}
	}
	return []string{"token for " + string(doc.Expires)}
}
