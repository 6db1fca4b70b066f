package setup

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"
)

// said is what a literal says, by the lexer: strings in single quotes and [char] joined by +.
func said(t interface{ Fatalf(string, ...any) }, literal string) string {
	tokens, err := lex(literal)
	if err != nil {
		t.Fatalf("%s: %v", literal, err)
	}
	var units []uint16
	for i, tok := range tokens {
		switch {
		case tok.kind == text:
			units = append(units, utf16.Encode([]rune(tok.text))...)
		case tok.kind == word && strings.HasPrefix(tok.text, "0x"):
			n, err := strconv.ParseUint(tok.text[2:], 16, 16)
			if err != nil || tokens[i-2].text != "char" {
				t.Fatalf("%s: %v", literal, err)
			}
			units = append(units, uint16(n))
		case tok.kind == word && tok.text == "char", tok.kind == punct && strings.Contains("()[]+", tok.text):
		default:
			t.Fatalf("%s: unexpected %q", literal, tok.text)
		}
	}
	return string(utf16.Decode(units))
}

func TestLiteral(t *testing.T) {
	for in, want := range map[string]string{
		"":                "''",
		"SyncIsAllowed":   "'SyncIsAllowed'",
		"o'brien@b.c":     "'o''brien@b.c'",
		"''":              "''''''",
		"a`n$(x)\"$y":     "'a`n$(x)\"$y'",
		"Räume":           "('R' + [char]0x00E4 + 'ume')",
		"ä":               "('' + [char]0x00E4)",
		"x’y":             "('x' + [char]0x2019 + 'y')",
		"ab\u0451":        "('ab' + [char]0x0451)",
		"\U0001F4C5 Sync": "('' + [char]0xD83D + [char]0xDCC5 + ' Sync')",
	} {
		if got := literal(in); got != want {
			t.Errorf("literal(%q) = %s, want %s", in, got, want)
		}
		if got := said(t, literal(in)); got != in {
			t.Errorf("literal(%q) says %q", in, got)
		}
	}
}

func TestLiteral_SaysWhatWentIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("'\"`$(){}@#;-‘’‚‛“”„äёß \U0001F4C5a")), rapid.Rune())).Draw(t, "text")
		if checkText(in) != nil {
			t.Skip("would be refused")
		}
		l := literal(in)
		if got := said(t, l); got != in || !isASCII(l) {
			t.Fatalf("literal(%q) = %s, which says %q", in, l, got)
		}
	})
}

var nasty = []string{
	"x'; Remove-Mailbox -Identity y; '",
	"x’; Remove-Mailbox y; ’",
	"x‚; Remove-Mailbox y; ‛",
	"$(Remove-Mailbox y)",
	"x`'; Remove-Mailbox y; #",
	"\"@; Remove-Mailbox y",
	"#> Remove-Mailbox y <#",
	"x); Remove-Mailbox y; (",
	"ё; Remove-Mailbox y # Ñ‘",
}

// Whatever the values are, the rest of a script stays the same, and none of them becomes code; also when Windows
// PowerShell reads the file in its code page.
func TestScripts_ValuesStayValues(t *testing.T) {
	variants(t, func(t *testing.T, _ string, fill func(Input) (string, error), in Input) {
		script, err := fill(in)
		if err != nil {
			t.Fatal(err)
		}
		want := code(t, script)
		for _, n := range nasty {
			evil := in
			evil.AppName, evil.ServiceUser, evil.Group, evil.SignIn = n, n, n, n
			evil.Mailboxes = []Mailbox{{n + "@b.example", ""}}
			script, err := fill(evil)
			if err != nil {
				t.Fatal(err)
			}
			ansi, err := charmap.Windows1252.NewDecoder().String(script)
			if err != nil {
				t.Fatal(err)
			}
			for how, s := range map[string]string{"UTF-8": script, "the code page": ansi} {
				if got := code(t, s); !slices.Equal(got, want) {
					t.Errorf("%q in %s becomes code", n, how)
				}
			}
			if strings.Contains(script, "$GroupName = ") && !slices.Contains(texts(t, script), n) {
				t.Errorf("%q does not arrive", n)
			}
		}
	})
}

// code is a script's commands, names and brackets, without the assignments of the values.
func code(t *testing.T, script string) (list []string) {
	t.Helper()
	for _, tok := range mustLex(t, script) {
		list = append(list, tok.text)
	}
	first := slices.Index(list, "erroractionpreference") + 4
	for i := first; i < len(list); i++ {
		if list[i] == "changes" || list[i] == "findings" || list[i] == "function" || list[i] == "exchangeappid" {
			return slices.Concat(list[:first], list[i:])
		}
	}
	t.Fatal("the script has no end of its values")
	return nil
}

func mustLex(t *testing.T, script string) []token {
	t.Helper()
	tokens, err := lex(script)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// texts are the values of a script's assignments.
func texts(t *testing.T, script string) (list []string) {
	t.Helper()
	for line := range strings.Lines(script) {
		if name, expr, ok := strings.Cut(line, " = "); ok && strings.HasPrefix(name, "$") && !strings.Contains(name, ".") {
			expr, _, _ = strings.Cut(strings.TrimSpace(expr), "  # ")
			if strings.HasPrefix(expr, "'") || strings.HasPrefix(expr, "('") {
				list = append(list, said(t, expr))
			}
		}
	}
	return list
}

func TestCheckText(t *testing.T) {
	for _, bad := range []string{"a\nb", "a\rb", "a\x00", "a\tb", "a\u2028b", "a\u202eb", "a\u200bb", "a\u00a0b", "\ufeffa", "a\x85", "\xff"} {
		if checkText(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, good := range []string{"", "Räume für alle", `CONTOSO\svc`, "o'brien", "日本"} {
		if err := checkText(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestEncode(t *testing.T) {
	if got := string(Encode("# ä\n'x'\n")); got != "\xef\xbb\xbf# ä\r\n'x'\r\n" {
		t.Errorf("%q", got)
	}
}
