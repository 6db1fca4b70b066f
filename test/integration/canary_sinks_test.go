package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// sink is a place where a secret could come to light.
type sink struct {
	name string
	data []byte
}

// search names what of the canaries is in the sinks.
func (s searcher) search(sinks []sink) []string {
	var found []string
	for _, x := range sinks {
		for _, what := range s.find(x.data) {
			found = append(found, what+", in "+x.name)
		}
	}
	return found
}

// folderSink is every file below a folder, with its name.
func folderSink(t *testing.T, dir string) []sink {
	t.Helper()
	var all []sink
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, sink{"file " + path, append([]byte(path+"\n"), data...)})
		return err
	}))
	return all
}

// streamSink is every message of every stream and bucket, as it is stored, with its subject and header.
func streamSink(t *testing.T, js jetstream.JetStream) []sink {
	t.Helper()
	var all []sink
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		s, err := js.Stream(t.Context(), info.Config.Name)
		must(t, err)
		for seq := max(1, info.State.FirstSeq); seq <= info.State.LastSeq; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			must(t, err)
			all = append(all, sink{fmt.Sprintf("message %d of %s", seq, info.Config.Name), fmt.Appendf(nil, "%s\n%v\n%s", m.Subject, m.Header, m.Data)})
		}
	}
	must(t, streams.Err())
	return all
}

// wire is everything that is published in NATS, by anybody, replies included.
type wire struct {
	mu   sync.Mutex
	data bytes.Buffer
}

// tap listens until the test ends.
func tap(t *testing.T, nc *nats.Conn) *wire {
	t.Helper()
	w := &wire{}
	sub, err := nc.Subscribe(">", func(m *nats.Msg) {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, _ = fmt.Fprintf(&w.data, "%s %s %v\n%s\n", m.Subject, m.Reply, m.Header, m.Data)
	})
	must(t, err)
	must(t, sub.SetPendingLimits(-1, -1))
	must(t, nc.Flush())
	return w
}

func (w *wire) sink() sink {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sink{"what went through NATS", bytes.Clone(w.data.Bytes())}
}

// commandLine is what every user of the host can read of a process.
func (p *process) commandLine(t *testing.T) sink {
	t.Helper()
	name := fmt.Sprintf("the command line of process %d", p.cmd.Process.Pid)
	if runtime.GOOS != "linux" {
		return sink{name, []byte(strings.Join(p.cmd.Args, "\x00"))}
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	must(t, err)
	if len(data) == 0 {
		t.Errorf("%s is empty", name)
	}
	return sink{name, data}
}

// pages are what a process shows on its HTTP address.
func pages(t *testing.T, address string) []sink {
	t.Helper()
	var all []sink
	client := http.Client{Timeout: 10 * time.Second}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/debug/vars", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		resp, err := client.Get("http://" + address + path)
		must(t, err)
		data, err := io.ReadAll(resp.Body)
		must(t, err)
		_ = resp.Body.Close()
		all = append(all, sink{"page " + path, fmt.Appendf(nil, "%v\n%s", resp.Header, data)})
	}
	return all
}

// recorder sees what the simulator is sent and answers, and keeps what of it is a secret.
type recorder struct {
	next http.Handler

	mu   sync.Mutex
	seen map[string]map[string]bool // values by what they are
}

func newRecorder(next http.Handler) *recorder {
	return &recorder{next: next, seen: map[string]map[string]bool{}}
}

// authenticates is the type of the NTLM message that proves the password (MS-NLMP 2.2.1.3).
const authenticates = 3

// ServeHTTP implements [http.Handler].
func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	scheme, value, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	message, err := base64.StdEncoding.DecodeString(value)
	if err == nil && (scheme == "Basic" || len(message) > 8 && message[8] == authenticates) {
		r.note(scheme+" credentials", value)
	}
	if !strings.HasSuffix(q.URL.Path, "/oauth2/v2.0/token") {
		r.next.ServeHTTP(w, q)
		return
	}
	body, _ := io.ReadAll(q.Body) // what is missing, the simulator misses too
	form, _ := url.ParseQuery(string(body))
	for _, field := range []string{"client_secret", "client_assertion", "password"} {
		r.note(field, form.Get(field))
	}
	q.Body = io.NopCloser(bytes.NewReader(body))
	copied := &copying{ResponseWriter: w}
	defer func() { // also when a fault breaks off
		var answer map[string]any
		_ = json.Unmarshal(copied.body.Bytes(), &answer)
		for _, field := range []string{"access_token", "refresh_token", "id_token"} {
			token, _ := answer[field].(string)
			r.note(field, token)
		}
	}()
	r.next.ServeHTTP(copied, q)
}

func (r *recorder) note(what, value string) {
	if value == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[what] == nil {
		r.seen[what] = map[string]bool{}
	}
	r.seen[what][value] = true
}

// saw reports whether a value came as what.
func (r *recorder) saw(what, value string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[what][value]
}

// canaries are the values that were seen. Of a token its signature counts by itself, for what shows only the end.
func (r *recorder) canaries() []canary {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []canary
	for what, values := range r.seen {
		for value := range values {
			all = append(all, canary{what, value})
			if i := strings.LastIndexByte(value, '.'); i > 0 && len(value)-i > 20 {
				all = append(all, canary{"signature of " + what, value[i+1:]})
			}
		}
	}
	return all
}

type copying struct {
	http.ResponseWriter
	body bytes.Buffer
}

// Write implements [http.ResponseWriter].
func (c *copying) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (c *copying) Unwrap() http.ResponseWriter { return c.ResponseWriter }
