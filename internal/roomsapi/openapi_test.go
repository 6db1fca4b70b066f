package roomsapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"roomsync/events"
)

type apiDoc struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Security   *[]any
		Parameters []struct{ Name, In string }
		Responses  map[string]struct {
			Ref     string `json:"$ref"`
			Content map[string]struct{ Schema map[string]any }
		}
	}
	Components struct {
		Schemas   map[string]struct{ Properties map[string]any }
		Responses map[string]struct {
			Content map[string]struct{ Schema map[string]any }
		}
	}
}

func document(t testing.TB) apiDoc {
	t.Helper()
	return decodeAs[apiDoc](t, openAPI)
}

// The document has every route and no other, and says of which a token is asked.
func TestOpenAPI_HasEveryRoute(t *testing.T) {
	doc := document(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi %q", doc.OpenAPI)
	}
	count := 0
	for _, methods := range doc.Paths {
		count += len(methods)
	}
	if count != len(routes) {
		t.Errorf("%d operations are described, %d served", count, len(routes))
	}
	for _, rt := range routes {
		op, ok := doc.Paths[rt.path][strings.ToLower(rt.method)]
		if !ok {
			t.Errorf("%s %s is not described", rt.method, rt.path)
		}
		if rt.open != (op.Security != nil) {
			t.Errorf("%s %s: open %t, and the document says otherwise", rt.method, rt.path, rt.open)
		}
	}
}

// The objects of the document are those of the code, and its numbers too.
func TestOpenAPI_HasEveryField(t *testing.T) {
	doc := document(t)
	for name, v := range map[string]any{"Result": result{}, "Accepted": accepted{}, "Polled": polled{}, "WebhookState": WebhookState{}, "Fault": fault{}, "Problem": problem{}} {
		var want, got []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
				want = append(want, tag)
			}
		}
		for field := range doc.Components.Schemas[name].Properties {
			got = append(got, field)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
	text := string(openAPI)
	for _, want := range []string{fmt.Sprintf("At most %d bytes", MaxBody), fmt.Sprintf(`"maxItems": %d`, MaxBatch), fmt.Sprintf("%d readers", MaxReaders), fmt.Sprintf(`"maximum": %d`, maxLimit),
		fmt.Sprintf(`"maximum": %d`, int(maxWait.Seconds())), fmt.Sprintf("every %d seconds", int(heartbeat.Seconds())), fmt.Sprintf(`"maxLength": %d`, maxAttribute), fmt.Sprintf(`"default": %d`, defaultLimit),
		events.TypeBookingUpserted, events.TypeBookingCancelled, problemInvalid, problemNotStored, problemForgotten, problemOff,
		statusStored, statusDuplicate, statusRefused, statusNotStored, statusUnknown, statusSkipped} {
		if !strings.Contains(text, want) {
			t.Errorf("the document does not say %q", want)
		}
	}
}

// held judges answers by the document.
type held struct {
	doc      apiDoc
	compiler *jsonschema.Compiler
	mu       sync.Mutex
}

var judge = sync.OnceValues(func() (*held, error) {
	h := &held{compiler: jsonschema.NewCompiler()}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err == nil {
		err = json.Unmarshal(openAPI, &h.doc)
	}
	if err == nil {
		err = h.compiler.AddResource("openapi.json", v)
	}
	return h, err
})

// check says how an answer differs from what the document says of its operation.
func (h *held) check(method, path string, resp *http.Response, body []byte) error {
	op, ok := h.doc.Paths[path][strings.ToLower(method)]
	if !ok {
		return nil
	}
	r, ok := op.Responses[fmt.Sprint(resp.StatusCode)]
	if !ok {
		return fmt.Errorf("status %d is not described", resp.StatusCode)
	}
	content := r.Content
	if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
		content = h.doc.Components.Responses[name].Content
	}
	media, ok := content[resp.Header.Get("Content-Type")]
	if !ok {
		return fmt.Errorf("status %d: media type %q is not described", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	ref, _ := media.Schema["$ref"].(string)
	if ref == "" {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	schema, err := h.compiler.Compile("openapi.json" + ref)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// The judge is no rubber stamp.
func TestOpenAPI_TheJudgeRefuses(t *testing.T) {
	h, err := judge()
	must(t, err)
	answer := func(status int, media, body string) error {
		return h.check(http.MethodPost, "/v1/changes", &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {media}}}, []byte(body))
	}
	if err := answer(202, typeJSON, `{"results":[{"index":0,"id":"1","status":"stored"}]}`); err != nil {
		t.Error(err)
	}
	for _, bad := range []error{answer(418, typeJSON, `{}`), answer(202, "text/plain", `{}`), answer(202, typeJSON, `{}`), answer(202, typeJSON, `{"results":[{"index":0,"id":"1","status":"lost"}]}`)} {
		if bad == nil {
			t.Error("an answer that is not described was taken")
		}
	}
}
