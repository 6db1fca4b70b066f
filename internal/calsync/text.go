package calsync

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"roomsync/internal/xmltext"
)

// Clean replaces every character that XML 1.0 cannot carry (section 2.2, Char), and bytes that are no UTF-8, by U+FFFD.
// Both what is written and what is compared must have gone through it, or a text that had such a character would be
// different for ever.
func Clean(s string) string { return xmltext.Clean(s) }

// oneLine is the normal form of a text of one line: no line ends, one blank between words.
func oneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// plainText is the normal form of a body: its lines without markup, without blank lines, with one blank between words.
// Exchange turns text into markup and back, and puts blank lines, non-breaking spaces and line ends of its own into it.
func plainText(b Body) string {
	text := Clean(b.Text)
	if b.HTML {
		text = htmlText(text)
	}
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// htmlText is what a person reads of markup: the text, with line ends where blocks begin and end.
func htmlText(markup string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(markup))
	unread := 0 // depth of elements that nobody reads
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String()
		}
		t := z.Token()
		switch kind {
		case html.TextToken:
			if unread == 0 {
				b.WriteString(sourceLines.Replace(t.Data))
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			unread = max(unread+unreadDepth(kind, t.DataAtom), 0)
			if breaksLine[t.DataAtom] {
				b.WriteByte('\n')
			}
		}
	}
}

var sourceLines = strings.NewReplacer("\n", " ", "\r", " ") // line ends of the source are blanks

func unreadDepth(kind html.TokenType, tag atom.Atom) int {
	switch {
	case tag != atom.Style && tag != atom.Script && tag != atom.Title:
		return 0
	case kind == html.StartTagToken:
		return 1
	case kind == html.EndTagToken:
		return -1
	}
	return 0
}

var breaksLine = map[atom.Atom]bool{
	atom.Br: true, atom.P: true, atom.Div: true, atom.Li: true, atom.Ul: true, atom.Ol: true, atom.Tr: true, atom.Table: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Hr: true, atom.Pre: true,
	atom.Blockquote: true, atom.Dl: true, atom.Dt: true, atom.Dd: true, atom.Body: true, atom.Center: true,
}

// activeMarkup says what of a body's markup acts by itself or is fetched from elsewhere, "" for simple markup.
func activeMarkup(markup string) string {
	z := html.NewTokenizer(strings.NewReader(markup))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if active[t.DataAtom] || t.Data == "svg" || t.Data == "math" {
				return "<" + t.Data + ">"
			}
			for _, a := range t.Attr {
				if activeAttribute(strings.ToLower(a.Key), a.Val) {
					return "<" + t.Data + " " + a.Key + ">"
				}
			}
		case html.TextToken:
			if fetchesByStyle(string(z.Text())) {
				return "a style that fetches something"
			}
		}
	}
}

var active = map[atom.Atom]bool{
	atom.Script: true, atom.Iframe: true, atom.Frame: true, atom.Frameset: true, atom.Object: true, atom.Embed: true, atom.Applet: true,
	atom.Form: true, atom.Input: true, atom.Button: true, atom.Link: true, atom.Base: true, atom.Meta: true, atom.Video: true,
	atom.Audio: true, atom.Source: true, atom.Track: true, atom.Template: true,
}

func activeAttribute(key, value string) bool {
	value = strings.ToLower(strings.TrimSpace(value))
	switch key {
	case "href":
		scheme, _, found := strings.Cut(value, ":")
		return found && scheme != "http" && scheme != "https" && scheme != "mailto" && scheme != "tel"
	case "src":
		return !strings.HasPrefix(value, "data:image/")
	case "srcset", "background", "data", "action", "formaction", "poster", "ping", "srcdoc", "lowsrc", "dynsrc":
		return true
	case "style":
		return fetchesByStyle(value)
	}
	return strings.HasPrefix(key, "on")
}

func fetchesByStyle(css string) bool {
	css = strings.ToLower(css)
	return strings.Contains(css, "url(") || strings.Contains(css, "@import") || strings.Contains(css, "expression(")
}
