package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"roomsync/internal/tokens"
)

// settings collects flags. They are kept as text until all are known, because pflag would stop at the first bad one.
type settings struct {
	fs     *pflag.FlagSet
	env    Env
	all    []*setting
	faults Faults
}

// setting is one flag; it implements [pflag.Value].
type setting struct {
	name   string
	kind   string // shown in --help
	text   string
	origin string // "--name" or "ROOMSYNC_NAME", "" for the default
	hidden bool   // the value stays out of faults
	parse  func(string) error
}

func (v *setting) String() string { return v.text }
func (v *setting) Type() string   { return v.kind }

// Set implements [pflag.Value].
func (v *setting) Set(s string) error {
	v.text, v.origin = s, "--"+v.name
	return nil
}

func newSettings(fs *pflag.FlagSet, env Env) *settings { return &settings{fs: fs, env: env} }

func (s *settings) add(name, kind, standard, usage string, parse func(string) error) *setting {
	v := &setting{name: name, kind: kind, text: standard, parse: parse}
	f := s.fs.VarPF(v, name, "", usage)
	if kind == "bool" {
		f.NoOptDefVal = "true"
	}
	s.all = append(s.all, v)
	return v
}

// finish takes what the environment has, parses everything and checks it.
func (s *settings) finish(to Section) error {
	for _, v := range s.all {
		if e := EnvName(v.name); v.origin == "" && s.env.Getenv(e) != "" {
			v.text, v.origin = s.env.Getenv(e), e
		}
		if err := v.parse(v.text); err != nil {
			s.fault(v.name, err.Error())
		}
	}
	to.check(s)
	if len(s.faults) > 0 {
		return s.faults
	}
	return nil
}

// fault notes a problem of a flag, unless that flag already has one.
func (s *settings) fault(name, problem string) {
	key := "--" + name
	for _, v := range s.all {
		if v.name != name {
			continue
		}
		if v.origin != "" {
			key = v.origin
		}
		if !v.hidden && v.origin != "" {
			key += fmt.Sprintf(" %q", v.text)
		}
	}
	for _, f := range s.faults {
		if f.Key == key {
			return
		}
	}
	s.faults = append(s.faults, Fault{key, problem})
}

// given reports whether a flag was given, on the command line or in the environment.
func (s *settings) given(name string) bool {
	for _, v := range s.all {
		if v.name == name {
			return v.origin != ""
		}
	}
	return false
}

func (s *settings) str(p *string, name, kind, standard, usage string) *setting {
	*p = standard
	return s.add(name, kind, standard, usage, func(t string) error {
		*p = t
		return nil
	})
}

func (s *settings) boolean(p *bool, name string, standard bool, usage string) {
	*p = standard
	s.add(name, "bool", strconv.FormatBool(standard), usage, func(t string) error {
		b, err := strconv.ParseBool(strings.ToLower(t))
		if err != nil {
			return fmt.Errorf("must be true or false")
		}
		*p = b
		return nil
	})
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
	})
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
func (s *settings) url(p *string, name, standard, usage string) {
	*p = standard
	s.add(name, "url", standard, usage, func(t string) error {
		if err := checkURL(t); err != nil {
			return err
		}
		*p = t
		return nil
	}).hidden = true
}

func checkURL(t string) error {
	u, err := url.Parse(t)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("must be a URL such as https://host/path")
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

// secret is a secret that stands in the file given by the flag name, or in the environment variable variable.
type secret struct {
	file     string
	name     string
	variable string
	env      Env
}

func (s *settings) secret(p *secret, name, usage string) {
	*p = secret{name: name, variable: EnvName(strings.TrimSuffix(name, "-file")), env: s.env}
	s.str(&p.file, name, "file", "", usage)
}

// given reports whether there is a place where the secret ought to be.
func (x *secret) given() bool {
	return x.file != "" || x.env.Getenv != nil && x.env.Getenv(x.variable) != ""
}

// read returns the secret as it is now, without the line end that editors add.
func (x *secret) read() (tokens.Secret, error) {
	text := ""
	if x.file != "" {
		data, err := x.env.ReadSecret(x.file)
		if err != nil {
			return tokens.Secret{}, err
		}
		text = string(data)
	} else if x.env.Getenv != nil {
		text = x.env.Getenv(x.variable)
	}
	text = strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n")
	switch {
	case text == "":
		return tokens.Secret{}, fmt.Errorf("there is no secret in it")
	case strings.ContainsAny(text, "\r\n\x00"):
		return tokens.Secret{}, fmt.Errorf("it has more than one line: it must hold the secret and nothing else")
	}
	return tokens.NewSecret(text), nil
}

// check notes why the secret cannot be had.
func (x *secret) check(s *settings) {
	if x.file != "" && s.env.Getenv(x.variable) != "" {
		s.fault(x.name, "is given as well as "+x.variable+": give one of them")
	}
	if _, err := x.read(); err != nil {
		s.fault(x.name, err.Error())
	}
}
