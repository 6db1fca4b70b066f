package ewsapi

import (
	"strconv"
	"strings"
)

// unescape replaces references and line ends and refuses characters that XML does not allow. s begins at the parser's
// position, which moves to what is wrong.
func (p *xmlParser) unescape(s string) (string, error) {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && !isSpace(c) {
			p.pos += i
			return "", xmlError("'" + strconv.Itoa(int(c)) + "', hexadecimal value, is an invalid character.")
		} else if c == '&' || c == '\r' {
			plain = false
		}
	}
	if plain {
		return s, nil
	}
	var b strings.Builder
	for from := 0; ; {
		amp := strings.IndexByte(s[from:], '&')
		if amp < 0 {
			b.WriteString(lineEnds.Replace(s[from:]))
			return b.String(), nil
		}
		b.WriteString(lineEnds.Replace(s[from : from+amp]))
		from += amp
		end := strings.IndexByte(s[from:], ';')
		r, ok := rune(0), false
		if end > 0 {
			r, ok = reference(s[from+1 : from+end])
		}
		if !ok {
			p.pos += from
			return "", xmlError("An error occurred while parsing EntityName.")
		}
		b.WriteRune(r)
		from += end + 1
	}
}

// lineEnds makes all line ends one character (XML 1.0, 2.11).
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// reference resolves an entity or character reference.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	var n uint64
	var err error
	switch {
	case strings.HasPrefix(name, "#x"):
		n, err = strconv.ParseUint(name[2:], 16, 32)
	case strings.HasPrefix(name, "#"):
		n, err = strconv.ParseUint(name[1:], 10, 32)
	default:
		return 0, false
	}
	r := rune(n)
	return r, err == nil && isXMLChar(r)
}

// isXMLChar reports whether XML 1.0 allows the character.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}
