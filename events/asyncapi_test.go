package events

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type reference struct {
	Ref string `yaml:"$ref"`
}

type asyncDoc struct {
	AsyncAPI string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address    string
		Parameters map[string]any
		Messages   map[string]reference
		JetStream  map[string]string `yaml:"x-jetstream"`
	}
	Operations map[string]struct {
		Action  string
		Channel reference
	}
	Components struct {
		MessageTraits map[string]struct {
			Headers struct {
				Required   []string
				Properties map[string]any
			}
		} `yaml:"messageTraits"`
		Messages map[string]struct {
			Name    string
			Traits  []reference
			Payload struct {
				SchemaFormat string `yaml:"schemaFormat"`
				Schema       reference
			}
		}
	}
}

func readAsyncAPI(t *testing.T) asyncDoc {
	t.Helper()
	var doc asyncDoc
	if err := yaml.Unmarshal(AsyncAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.AsyncAPI != "3.0.0" {
		t.Fatalf("AsyncAPI %q, want 3.0.0", doc.AsyncAPI)
	}
	return doc
}

func TestAsyncAPIMessages(t *testing.T) {
	doc := readAsyncAPI(t)
	var names []string
	for key, m := range doc.Components.Messages {
		names = append(names, m.Name)
		file, ok := strings.CutPrefix(m.Payload.Schema.Ref, "schema/")
		if !ok || file != m.Name+".json" {
			t.Errorf("%s: payload %q, want the schema of %s", key, m.Payload.Schema.Ref, m.Name)
		}
		if _, err := os.Stat(m.Payload.Schema.Ref); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if m.Name != SchemaMailbox && (len(m.Traits) != 1 || m.Traits[0].Ref != "#/components/messageTraits/cloudEvent") {
			t.Errorf("%s is not marked as a CloudEvent", key)
		}
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(append(Types(), SchemaMailbox))); !slices.Equal(names, want) {
		t.Errorf("messages %q, want %q", names, want)
	}
}

func TestAsyncAPIChannels(t *testing.T) {
	doc := readAsyncAPI(t)
	// The functions that build subjects give the addresses.
	want := map[string]struct{ address, stream, bucket, prefix string }{
		"bookings":    {ChangesSubject("{mailbox}"), StreamChanges, "", "rooms."},
		"events":      {EventsSubject("{mailbox}"), StreamEvents, "", "exchange."},
		"deadLetters": {DeadSubject("{kind}", "{mailbox}"), StreamDead, "", ""},
		"mailboxes":   {"$KV." + BucketMailboxes + ".{mailbox}", "", BucketMailboxes, SchemaMailbox},
	}
	if got := slices.Sorted(maps.Keys(doc.Channels)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("channels %q", got)
	}
	for name, c := range doc.Channels {
		w := want[name]
		if c.Address != w.address || c.JetStream["stream"] != w.stream || c.JetStream["bucket"] != w.bucket {
			t.Errorf("%s: address %q, %v; want %+v", name, c.Address, c.JetStream, w)
		}
		for p := range c.Parameters {
			if !strings.Contains(c.Address, "{"+p+"}") {
				t.Errorf("%s: parameter %s stands not in its address", name, p)
			}
		}
		var got, types []string
		for _, ref := range c.Messages {
			got = append(got, doc.Components.Messages[strings.TrimPrefix(ref.Ref, "#/components/messages/")].Name)
		}
		for _, typ := range append(Types(), SchemaMailbox) {
			if w.prefix != "" && strings.HasPrefix(typ, w.prefix) {
				types = append(types, typ)
			}
		}
		slices.Sort(got)
		slices.Sort(types)
		if !slices.Equal(got, types) {
			t.Errorf("%s carries %q, want %q", name, got, types)
		}
	}
}

func TestAsyncAPIOperations(t *testing.T) {
	doc := readAsyncAPI(t)
	for name, want := range map[string][2]string{
		"receiveBookings": {"receive", "#/channels/bookings"},
		"sendEvents":      {"send", "#/channels/events"},
		"readMailboxes":   {"receive", "#/channels/mailboxes"},
	} {
		if op := doc.Operations[name]; op.Action != want[0] || op.Channel.Ref != want[1] {
			t.Errorf("%s: %+v, want %v", name, op, want)
		}
	}
}

// The headers described are those written.
func TestAsyncAPIHeaders(t *testing.T) {
	described := readAsyncAPI(t).Components.MessageTraits["cloudEvent"].Headers
	e := Event{ID: "1", Source: "s", Type: "t", Subject: "m", Time: at("2026-11-24T08:00:00Z"), Extensions: map[string]string{"traceparent": "00"}}
	if got, want := slices.Sorted(maps.Keys(described.Properties)), slices.Sorted(maps.Keys(e.Header())); !slices.Equal(got, want) {
		t.Errorf("described are %q, written %q", got, want)
	}
	for _, name := range described.Required {
		h := e.Header()
		delete(h, name)
		if _, err := Parse(h, nil); err == nil {
			t.Errorf("%s is required, but nothing misses it", name)
		}
	}
}
