package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"roomsync/internal/tokens"
)

// roomsValue is the line of the file that counts for a key.
type roomsValue struct {
	where   string // "FILE:LINE KEY", as faults name it
	text    tokens.Secret
	problem string // why it cannot be taken, "" when it can
}

// rooms reads the file that --rooms-config names, and returns its values by key. Keys that are absent or empty are
// not among them. Faults of the file are noted here, those of a value when it is taken.
func (s *settings) rooms(file string) map[string]roomsValue {
	f := s.readRooms(file)
	if f == nil {
		s.roomsBroken = true
		return nil
	}
	for _, e := range f.strange {
		s.warn(fmt.Sprintf("%s:%d", file, e.line), fmt.Sprintf("the key %q is not read: if it is meant to be %s, correct it", e.key, slip(e.key)))
	}
	s.roomsFile = file
	values := map[string]roomsValue{}
	for _, key := range roomsKeys {
		if v, ok := s.settle(file, key, f.entries); ok {
			values[key] = v
		}
	}
	return values
}

// readRooms reads the file, or notes why it cannot be used and returns nil.
func (s *settings) readRooms(file string) *roomsFile {
	data, everybody, err := s.env.readFile(file, maxRooms)
	if err != nil {
		s.fault("rooms-config", err.Error())
		return nil
	}
	s.roomsOpen = everybody
	f, err := parseRooms(data)
	var wrong *roomsError
	keys := strings.Join(roomsKeys, ", ")
	switch {
	case errors.As(err, &wrong) && wrong.line > 0:
		s.problem(fmt.Sprintf("%s:%d", file, wrong.line), wrong.problem)
	case err != nil:
		s.problem(file, err.Error())
	case len(f.entries) > 0:
		return f
	case strings.EqualFold(f.root, "RoomsAppSettings"):
		s.warn(file, "holds none of the keys "+keys)
		return f
	default:
		s.fault("rooms-config", "is no RoomsAppSettings.config: its root element has another name, and it holds none of the keys "+keys)
	}
	return nil
}

// settle finds the entry of a key that counts: the last one, as in .NET.
func (s *settings) settle(file, key string, all []roomsEntry) (roomsValue, bool) {
	var own []roomsEntry
	for _, e := range all {
		if e.key == key {
			own = append(own, e)
		}
	}
	if len(own) == 0 {
		return roomsValue{}, false
	}
	last := own[len(own)-1]
	v := roomsValue{where: fmt.Sprintf("%s:%d %s", file, last.line, key), text: roomsTrim(key, last.value)}
	for _, e := range own[:len(own)-1] {
		s.twice(v.where, e, last)
	}
	switch {
	case !last.valued:
		v.problem = `has no value: write <add key="` + key + `" value="…" />`
	case v.text.IsZero():
		return roomsValue{}, false
	case placeholder(key, v.text.Reveal()):
		v.problem = "is still the placeholder of the guide: replace it, or remove the line"
	}
	return v, true
}

// twice says which of two lines counts, and refuses to choose where .NET would not: in two sections, what ROOMS reads
// depends on which of them it asks.
func (s *settings) twice(where string, first, last roomsEntry) {
	same := first.valued == last.valued && first.value.Equal(last.value)
	switch {
	case same:
		s.note(where, fmt.Sprintf("stands in line %d too, with the same value: remove one of them", first.line))
	case first.section == last.section:
		s.warn(where, fmt.Sprintf("stands in line %d too, with another value: this line counts, the last one, as in .NET; remove the other", first.line))
	default:
		s.problem(where, fmt.Sprintf("stands in line %d too, in another section and with another value: remove the one that ROOMS does not read", first.line))
	}
}

// roomsTrim drops spaces around a value, except of a password, of which they may be a part.
func roomsTrim(key string, value tokens.Secret) tokens.Secret {
	if key == keyPassword {
		return value
	}
	return tokens.NewSecret(strings.TrimSpace(value.Reveal()))
}

var crosses = regexp.MustCompile(`^\s*(?i:x{3,})\s*$`)

// placeholder reports whether a value is the one that the guide asks to replace, or its example of a password.
func placeholder(key, value string) bool {
	return crosses.MatchString(value) || key == keyPassword && value == "mySecretPassword"
}
