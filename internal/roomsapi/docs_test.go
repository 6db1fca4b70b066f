package roomsapi

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"roomsync/events"
	"roomsync/internal/tokens"
)

func httpDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/http-api.md")
	must(t, err)
	return string(text)
}

var word = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// words takes a line apart as a shell does, as far as the document's lines need it.
func words(line string) []string {
	all := word.FindAllString(line, -1)
	for i, w := range all {
		w = strings.ReplaceAll(w, "$TOKEN", canary)
		all[i] = strings.Trim(w, `'"`)
	}
	return all
}

// Every curl line of the document works, in its order.
func TestDocument_EveryExampleWorks(t *testing.T) {
	w := newWorld(t)
	w.tell(room1, events.TypeCalendarChanged, 0)
	url := w.serve(func(o *Options) {
		o.Webhook = &WebhookOptions{URL: "http://127.0.0.1:1/", Secrets: func() ([]tokens.Secret, error) { return secrets, nil }}
	}).URL
	lines := regexp.MustCompile(`(?m)^curl .*$`).FindAllString(httpDocument(t), -1)
	if len(lines) < 8 {
		t.Fatalf("only %d examples", len(lines))
	}
	for _, line := range lines {
		example(t, url, words(line)[1:])
	}
	if all, _ := w.changesIn(); len(all) != 3 {
		t.Errorf("%d changes are stored", len(all))
	}
}

func example(t *testing.T, server string, args []string) {
	t.Helper()
	method, target, body := http.MethodGet, "", ""
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		switch v := args[i]; v {
		case "-s", "-sN":
		case "--max-time":
			i++
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			method, body = http.MethodPost, args[i]
		default:
			target = strings.Replace(v, "localhost:8080", server, 1)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	must(t, err)
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		t.Errorf("%s %s: %d", method, target, resp.StatusCode)
	}
}

// The document's numbers are those of the code, and it has every status that an operation can answer with.
func TestDocument_TellsTheTruth(t *testing.T) {
	text := httpDocument(t)
	for _, want := range []string{
		fmt.Sprintf("%d bytes) and %d events", MaxBody, MaxBatch), fmt.Sprintf("%d requests are stored at once", maxPosts), fmt.Sprintf("an attribute %d bytes", maxAttribute),
		fmt.Sprintf("%d readers are served at once", MaxReaders), fmt.Sprintf("every %d seconds of quiet", int(heartbeat.Seconds())), fmt.Sprintf("takes nothing for %d seconds", int(writeTime.Seconds())),
		fmt.Sprintf("`limit` up to %d, `wait` up to %d seconds", maxLimit, int(maxWait.Seconds())), fmt.Sprintf("2xx within %d seconds", int(postTime.Seconds())),
		fmt.Sprintf("dies within %d seconds", int(leaseTime.Seconds())), fmt.Sprintf("%d requests at once", senders),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document does not say %q", want)
		}
	}
	for _, status := range []string{statusStored, statusDuplicate, statusRefused, statusNotStored, statusUnknown, statusSkipped} {
		if !strings.Contains(text, "`"+status+"`") {
			t.Errorf("no %s", status)
		}
	}
	var missing []string
	for status := range document(t).Paths["/v1/changes"]["post"].Responses {
		if !regexp.MustCompile(`(?m)^\| [0-9, ]*` + status).MatchString(text) {
			missing = append(missing, status)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		t.Errorf("no line of the statuses %v", missing)
	}
}
