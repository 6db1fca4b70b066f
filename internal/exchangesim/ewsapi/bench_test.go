package ewsapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"roomsync/internal/exchangesim/store"
)

// wire sends one request again and again over a kept connection, with as little work on the client's side as
// possible, so that nearly all of the time is the server's.
func wire(b *testing.B, h http.Handler, body string) {
	b.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := fmt.Sprintf("POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uQGNvbnRvc28uZXhhbXBsZTp4\r\nCookie: exchangecookie=1\r\n"+
		"Content-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	in := bufio.NewReaderSize(conn, 64<<10)
	before := cpu(b)
	for b.Loop() {
		if _, err := io.WriteString(conn, request); err != nil {
			b.Fatal(err)
		}
		skipAnswer(b, in)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the processor time that the process has used, of which the client's part is small. Elapsed time says little
// on a machine that does other things at the same time.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func skipAnswer(b *testing.B, in *bufio.Reader) {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(line) == 2 {
			break
		}
		if n, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			fmt.Sscan(n, &length)
		}
	}
	if _, err := in.Discard(length); err != nil {
		b.Fatal(err)
	}
}

func benchCompany(b *testing.B) (*store.Company, []string) {
	c := store.New(store.Options{Now: func() time.Time { return now }})
	m, err := c.AddMailbox(store.MailboxSpec{Address: ann})
	if err != nil {
		b.Fatal(err)
	}
	var ids []string
	for i := range 200 {
		it, err := m.Create(store.Actor{}, m.Calendar(), &store.Item{Subject: fmt.Sprint("Appointment ", i), Location: "Room", Start: now, End: now.Add(time.Hour)})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, it.ID)
	}
	return c, ids
}

func document(body string) string {
	return envelopeStart + `<s:Header>` + versionHeader + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// BenchmarkSyncNoChange is the call that a poll of a quiet calendar makes, over HTTP.
func BenchmarkSyncNoChange(b *testing.B) {
	c, _ := benchCompany(b)
	m := c.Mailbox(ann)
	p, err := m.Sync(m.Calendar(), "", 512, nil)
	if err != nil {
		b.Fatal(err)
	}
	wire(b, New(c, Options{}), document(`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>`+
		`<t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId><m:SyncState>`+p.State+`</m:SyncState><m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>`))
}

// BenchmarkGetTen reads ten appointments with all properties over HTTP.
func BenchmarkGetTen(b *testing.B) {
	c, ids := benchCompany(b)
	list := ""
	for _, id := range ids[:10] {
		list += itemID(id)
	}
	wire(b, New(c, Options{}), document(`<m:GetItem><m:ItemShape>`+allProperties+`</m:ItemShape><m:ItemIds>`+list+`</m:ItemIds></m:GetItem>`))
}

// BenchmarkHTTPAlone is what net/http costs without any EWS, to compare the others with.
func BenchmarkHTTPAlone(b *testing.B) {
	body := strings.Repeat("x", 1100)
	wire(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "1100")
		_, _ = io.WriteString(w, body)
	}), strings.Repeat("y", 1400))
}
