package tokens

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

const canary = "canary-4711"

// everyWay prints v in every way we know of.
func everyWay(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10.3v"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	fmt.Fprintln(&b, v, fmt.Errorf("wrapped: %v", v))
	j, _ := json.Marshal(v)
	x, _ := xml.Marshal(v)
	b.Write(j)
	b.Write(x)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	log := zerolog.New(&b)
	log.Info().Any("v", v).Interface("w", v).Err(errors.New(fmt.Sprint(v))).Msgf("%v", v)
	return b.String()
}

func TestSecret_IsPrintedNowhere(t *testing.T) {
	s := NewSecret(canary)
	type hidden struct {
		name   string
		secret Secret
	}
	for name, v := range map[string]any{
		"itself":              s,
		"pointer":             &s,
		"exported field":      struct{ S Secret }{s},
		"unexported field":    hidden{"n", s},
		"pointer to a struct": &hidden{"n", s},
		"slice":               []Secret{s},
		"map":                 map[string]Secret{"k": s},
		"map key":             map[Secret]int{s: 1},
		"token":               Token{Value: s},
	} {
		out := everyWay(v)
		hex := fmt.Sprintf("%x", canary)
		if strings.Contains(out, canary) || strings.Contains(strings.ToLower(out), hex) {
			t.Errorf("%s: printed as\n%s", name, out)
		}
		if name == "itself" && !strings.Contains(out, redacted) {
			t.Errorf("nothing says that something is hidden:\n%s", out)
		}
	}
}

func TestSecret_Values(t *testing.T) {
	a, b, empty := NewSecret("a"), NewSecret("a"), NewSecret("")
	if a.Reveal() != "a" || empty.Reveal() != "" {
		t.Errorf("Reveal: %q, %q", a.Reveal(), empty.Reveal())
	}
	if !a.Equal(b) || a.Equal(empty) || !empty.Equal(Secret{}) {
		t.Error("Equal does not compare values")
	}
	if a.IsZero() || !empty.IsZero() {
		t.Error("IsZero")
	}
}

func TestError_Text(t *testing.T) {
	err := &Error{Code: "invalid_client", AADSTS: 7000215, Status: 401, Hint: "do this", Err: errors.New("cause")}
	const want = "tokens: no access token (invalid_client, AADSTS7000215, HTTP 401): cause: do this"
	if err.Error() != want {
		t.Errorf("%q, want %q", err.Error(), want)
	}
	if got := (&Error{}).Error(); got != "tokens: no access token" {
		t.Errorf("%q", got)
	}
}
