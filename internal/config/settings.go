package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// settings collects flags. They are kept as text until all are known, because pflag would stop at the first bad one.
type settings struct {
	fs       *pflag.FlagSet
	env      Env
	all      []*setting
	group    string // of the flags that are added
	faults   Faults
	findings []Finding

	roomsFile   string // RoomsAppSettings.config, when it was read
	roomsOpen   bool   // everybody on the host can read or change it
	roomsBroken bool   // it could not be read, so that what it gives is not known
}

// setting is one flag; it implements [pflag.Value].
type setting struct {
	name   string
	kind   string // shown in --help
	group  string // heading in --help
	key    string // of RoomsAppSettings.config, "" when it has none
	text   string
	plain  string // the default
	why    string // for a value that was neither given nor is the default
	origin string // where the text comes from: "--name", "ROOMSYNC_NAME", "FILE:LINE KEY"; "" for the default
	hidden bool   // the value stays out of faults
	file   bool   // the value names a file that holds a secret, if it names one
	absent bool   // there is no such file: the value may be the secret itself, and is shown nowhere
	faulty bool
	words  []string // the values that there are, when they can be listed
	secret *secret  // when the flag names the file of one
	parse  func(string) error
}

func (v *setting) String() string { return v.text }
func (v *setting) Type() string   { return v.kind }

// Set implements [pflag.Value].
func (v *setting) Set(s string) error {
	v.text, v.origin = s, flagName(v.name)
	return nil
}

// rooms names the key of RoomsAppSettings.config that means the same as the flag.
func (v *setting) rooms(key string) { v.key = key }

func flagName(name string) string { return "--" + name }

func newSettings(fs *pflag.FlagSet, env Env) *settings { return &settings{fs: fs, env: env} }

func (s *settings) add(name, kind, standard, usage string, parse func(string) error) *setting {
	v := &setting{name: name, kind: kind, group: s.group, text: standard, plain: standard, parse: parse}
	f := s.fs.VarPF(v, name, "", usage)
	if kind == "bool" {
		f.NoOptDefVal = "true"
	}
	s.all = append(s.all, v)
	return v
}

// finish takes what the environment and RoomsAppSettings.config have, parses everything and checks it.
func (s *settings) finish(to Section) error {
	for _, v := range s.all {
		if v.text == "" && v.plain == "" {
			v.origin = "" // an empty one is none
		}
		if e := EnvName(v.name); v.origin == "" && s.env.Getenv(e) != "" {
			v.text, v.origin = s.env.Getenv(e), e
		}
	}
	var rooms map[string]roomsValue
	if v := s.named("rooms-config"); v != nil && v.text != "" {
		rooms = s.rooms(v.text)
	}
	for _, v := range s.all {
		if r, ok := rooms[v.key]; ok && v.origin == "" {
			s.take(v, r.where, r.text.Reveal(), r.problem)
		} else {
			s.take(v, v.origin, v.text, "")
		}
		s.conceal(v)
		if v.secret != nil {
			v.secret.resolve(s, v, rooms)
		}
	}
	to.check(s)
	if len(s.faults) > 0 {
		return s.faults
	}
	return nil
}

// take gives a setting its value.
func (s *settings) take(v *setting, origin, text, problem string) {
	v.origin = origin
	if origin != "" && origin != flagName(v.name) && origin != EnvName(v.name) {
		v.hidden = true // somebody may have put the secret into the line of another key
	}
	if problem == "" {
		v.text = text
		if err := v.parse(text); err != nil {
			problem = err.Error()
		}
	}
	if problem != "" {
		s.fault(v.name, problem)
	}
}

// named is the setting of a flag, nil when there is none.
func (s *settings) named(name string) *setting {
	for _, v := range s.all {
		if v.name == name {
			return v
		}
	}
	return nil
}

// fault notes a problem of a flag, unless that flag already has one.
func (s *settings) fault(name, problem string) {
	v, key := s.named(name), flagName(name)
	v.faulty = true
	if v.origin != "" {
		key = v.origin
		if !v.hidden && !v.absent {
			key += fmt.Sprintf(" %q", v.text)
		}
	}
	s.problem(key, problem)
}

// problem notes a problem, unless the same thing already has one.
func (s *settings) problem(key, problem string) {
	for _, f := range s.faults {
		if f.Key == key {
			return
		}
	}
	s.faults = append(s.faults, Fault{key, problem})
}

// missing notes that a flag was not given; one that was, and has no value all the same, has its fault already, and what
// may stand in a file that cannot be read is not missed. Who uses RoomsAppSettings.config is told of the key, too.
func (s *settings) missing(name, what string) {
	v := s.named(name)
	if v.origin != "" || s.roomsBroken {
		return
	}
	key := v.key
	if v.secret != nil {
		key = v.secret.key
	}
	if s.roomsFile != "" && key != "" {
		v.faulty = true
		s.problem(flagName(name)+" or "+key, "missing: "+what)
		return
	}
	s.fault(name, "missing: "+what)
}

// given reports whether a flag has another value than by default, or was meant to have one.
func (s *settings) given(name string) bool { return s.named(name).origin != "" }

// from is where a setting comes from, for sentences: what was given, never the value.
func (s *settings) from(name string) string {
	v := s.named(name)
	if v.origin == "" {
		return flagName(name)
	}
	return v.origin
}

func (s *settings) str(p *string, name, kind, standard, usage string) *setting {
	*p = standard
	return s.add(name, kind, standard, usage, func(t string) error {
		*p = t
		return nil
	})
}

func (s *settings) boolean(p *bool, name string, standard bool, usage string) *setting {
	*p = standard
	v := s.add(name, "bool", strconv.FormatBool(standard), usage, func(t string) error {
		b, err := strconv.ParseBool(strings.ToLower(t))
		if err != nil {
			return fmt.Errorf("must be true or false")
		}
		*p = b
		return nil
	})
	v.words = []string{"true", "false"}
	return v
}

func (s *settings) number(p *int, name string, standard, low, high int, usage string) {
	*p = standard
	s.add(name, "n", strconv.Itoa(standard), usage, func(t string) error {
		n, err := strconv.Atoi(t)
		if err != nil || n < low || n > high {
			return fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		*p = n
		return nil
	})
}

func (s *settings) duration(p *time.Duration, name string, standard, low, high time.Duration, usage string) {
	*p = standard
	s.add(name, "duration", short(standard), usage, func(t string) error {
		d, err := time.ParseDuration(t)
		if err != nil {
			return fmt.Errorf("must be a time span such as 90s, 5m or 1h")
		}
		if d < low || d > high {
			return fmt.Errorf("must be from %s to %s", short(low), short(high))
		}
		*p = d
		return nil
	})
}

// short is d without the zero minutes and seconds that [time.Duration.String] ends in.
func short(d time.Duration) string {
	t := d.String()
	if strings.HasSuffix(t, "m0s") {
		t = strings.TrimSuffix(t, "0s")
	}
	if strings.HasSuffix(t, "h0m") {
		t = strings.TrimSuffix(t, "0m")
	}
	return t
}

func (s *settings) choice(p *string, name, standard string, choices []string, usage string) {
	*p = standard
	s.add(name, strings.Join(choices, "|"), standard, usage, func(t string) error {
		for _, c := range choices {
			if c == t {
				*p = t
				return nil
			}
		}
		return unknown("must be", t, choices)
	}).words = choices
}

// listen is a host:port to serve on, or "" or "off" for nothing.
func (s *settings) listen(p *string, name, standard, usage string) {
	*p = standard
	s.add(name, "host:port", standard, usage, func(t string) error {
		if t == "" || t == "off" {
			*p = ""
			return nil
		}
		_, port, err := net.SplitHostPort(t)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n > 65535 {
			return fmt.Errorf("must be host:port such as 127.0.0.1:8080, or off")
		}
		*p = t
		return nil
	})
}

// url is an http or https URL. One with a user in it is refused, and none is shown in a fault: it may hold a password.
func (s *settings) url(p *string, name, standard, usage string) *setting {
	*p = standard
	v := s.add(name, "url", standard, usage, func(t string) error {
		if err := checkURL(t, standard); err != nil {
			return err
		}
		*p = t
		return nil
	})
	v.hidden = true
	return v
}

func checkURL(t, like string) error {
	u, err := url.Parse(t)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("must be a URL such as %s", like)
	case u.User != nil:
		return fmt.Errorf("must hold no user or password")
	}
	return nil
}

// insecure reports whether what is sent to a URL could be read on the way: plain http to another host.
func insecure(t string) bool {
	u, err := url.Parse(t)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}
