//go:build unix

package ews

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serverVariable makes the test's own program the server of BenchmarkNoChangePoll, so that the CPU time measured is
// the client's alone.
const serverVariable = "ROOMSYNC_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	body := []byte(noChange)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = contentType
		_, _ = w.Write(body)
	}))
	fmt.Println(s.URL)
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the benchmark ends
	s.Close()
}

// otherProcess starts the server and returns its URL.
func otherProcess(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		b.Fatal("the server could not be started")
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// cpu is the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkNoChangePoll is the call that a fleet makes most: a probe that finds nothing new, over loopback to
// another process, 1,000 in flight. "bare" is net/http doing no more than that, for comparison.
func BenchmarkNoChangePoll(b *testing.B) {
	url := otherProcess(b)
	c, err := New(Options{URL: url, Connections: 1000, Impersonate: true, Credentials: Basic("u", "p")})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("client", func(b *testing.B) {
		poll(b, func() error {
			_, err := c.Probe(b.Context(), mailbox, cursor, 0)
			return err
		})
	})
	template := request{schema: "Exchange2013_SP1", address: mailbox.Address, impersonate: true}
	body := string(template.envelope(func(r *request) { r.syncFolderItems("", cursor, 512) }))
	bare := &http.Client{Transport: newTransport(Options{Connections: 1000})}
	b.Run("bare", func(b *testing.B) {
		poll(b, func() error {
			resp, err := bare.Post(url, "text/xml", strings.NewReader(body))
			if err != nil {
				return err
			}
			_, err = bufio.NewReader(resp.Body).WriteTo(discard{})
			_ = resp.Body.Close()
			return err
		})
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func poll(b *testing.B, once func() error) {
	var failed atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(500) // 1,000 in flight on two cores
	before := cpu(b)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if once() != nil {
				failed.Add(1)
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	if n := failed.Load(); n > 0 {
		b.Errorf("%d polls failed", n)
	}
}
