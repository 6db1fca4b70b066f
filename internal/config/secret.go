package config

import (
	"errors"
	"fmt"
	"strings"

	"roomsync/internal/tokens"
)

// secret is a secret that stands in a file named by a flag or a variable, in a variable itself, or in
// RoomsAppSettings.config. Files and variables are read anew each time it is asked for.
type secret struct {
	file     string // that holds it
	name     string // of the flag that names the file
	variable string // of the environment, for the secret itself
	key      string // of RoomsAppSettings.config, "" for none
	lines    bool   // it may have several lines
	env      Env

	from  string        // where it comes from: file, variable or line; "" when there is none
	value tokens.Secret // from RoomsAppSettings.config
}

// secret adds the flag that names a secret's file. Key is the one of RoomsAppSettings.config, "" for none.
func (s *settings) secret(p *secret, name, key, usage string) {
	*p = secret{name: name, variable: EnvName(strings.TrimSuffix(name, "-file")), key: key, env: s.env}
	s.file(&p.file, name, usage).secret = p
}

// resolve decides where the secret comes from: the flag, the variable that holds it, the variable that names its file,
// RoomsAppSettings.config.
func (x *secret) resolve(s *settings, v *setting, rooms map[string]roomsValue) {
	set := s.env.Getenv(x.variable) != ""
	switch {
	case x.file != "" && v.origin == flagName(x.name), x.file != "" && !set:
		x.from = v.origin
		if !v.absent {
			x.from += " " + x.file
		}
		if set {
			s.note(x.variable, "is not used: "+v.origin+" comes first")
		}
	case set:
		if x.file != "" {
			s.note(v.origin, "is not used: "+x.variable+" comes first")
		}
		x.file, x.from = "", x.variable
		v.origin, v.hidden = x.variable, true
	case v.origin == "" && rooms[x.key].where != "":
		r := rooms[x.key]
		x.from, x.value = r.where, r.text
		v.origin, v.hidden = r.where, true
		if text := r.text.Reveal(); text != strings.TrimSpace(text) {
			s.warn(r.where, "begins or ends with a space, which ROOMS takes as a part of it, and so does this: remove it if it is none")
		}
		if r.problem != "" {
			s.fault(x.name, r.problem)
		}
	}
}

// given reports whether there is a place where the secret ought to be.
func (x *secret) given() bool { return x.from != "" }

// text is the secret as it is now, without the line end that editors add.
func (x *secret) text() (string, error) {
	switch {
	case x.file != "":
		data, err := x.env.readSecret(x.file)
		if noSuchFile(err) {
			return "", notAFile(x.from, x.file, x.variable)
		}
		if err == nil {
			data, err = Text(data)
		}
		return strings.TrimRight(string(data), "\r\n"), err
	case !x.value.IsZero():
		return x.value.Reveal(), nil
	case x.from != "":
		return strings.TrimRight(x.env.Getenv(x.variable), "\r\n"), nil
	}
	return "", nil
}

// read returns the secret as it is now.
func (x *secret) read() (tokens.Secret, error) {
	text, err := x.text()
	switch {
	case err != nil:
		return tokens.Secret{}, err
	case text == "":
		return tokens.Secret{}, errors.New("there is no secret in it")
	case strings.ContainsRune(text, 0):
		return tokens.Secret{}, errors.New("it holds a zero byte, as UTF-16 without a mark does: save it in UTF-8")
	case !x.lines && strings.ContainsAny(text, "\r\n"):
		return tokens.Secret{}, errors.New("it has more than one line: it must hold the secret and nothing else")
	}
	return tokens.NewSecret(text), nil
}

// check notes why the secret cannot be had.
func (x *secret) check(s *settings) tokens.Secret {
	t, err := x.read()
	if err != nil {
		s.fault(x.name, err.Error())
	}
	return t
}

// optional is check for a secret that need not be there.
func (x *secret) optional(s *settings) {
	if x.given() {
		x.check(s)
	}
}

// needed is check for a secret that must be there; what says which it is.
func (x *secret) needed(s *settings, what string) tokens.Secret {
	if !x.given() {
		s.missing(x.name, "name the file with "+what+", or set "+x.variable)
		return tokens.Secret{}
	}
	return x.check(s)
}

// keys reads one key from each line.
func (x *secret) keys(least int) ([]tokens.Secret, error) {
	if !x.given() {
		return nil, nil
	}
	all, err := x.read()
	if err != nil {
		return nil, err
	}
	var keys []tokens.Secret
	for i, line := range strings.Split(all.Reveal(), "\n") {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case len(line) < least:
			return nil, fmt.Errorf("the key in line %d is too short: openssl rand -hex 32 makes a good one", i+1)
		default:
			keys = append(keys, tokens.NewSecret(line))
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return keys, nil
}
