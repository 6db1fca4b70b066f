package policy

import "time"

// setting is a value that administrators change and that the servers obey some time later: Exchange caches policies
// for 30 minutes to 24 hours, while the cmdlets show a change at once.
type setting[T any] struct {
	configured, effective T
	at                    time.Time // from when configured is obeyed
}

// set changes the value. A change that is not obeyed yet is replaced.
func (s *setting[T]) set(v T, now time.Time, delay time.Duration) {
	s.effective = s.get(now)
	s.configured, s.at = v, now.Add(delay)
}

// get is the value that is obeyed.
func (s *setting[T]) get(now time.Time) T {
	if now.Before(s.at) {
		return s.effective
	}
	return s.configured
}

// Setting is a value as administrators read it back.
type Setting[T any] struct {
	Value T `json:"value"`
	// EffectiveAt is from when the servers obey Value; nil when they do already, else they still obey Effective.
	EffectiveAt *time.Time `json:"effectiveAt,omitempty"`
	Effective   *T         `json:"effective,omitempty"`
}

func (s *setting[T]) show(now time.Time) Setting[T] {
	out := Setting[T]{Value: s.configured}
	if now.Before(s.at) {
		at, effective := s.at.UTC(), s.effective
		out.EffectiveAt, out.Effective = &at, &effective
	}
	return out
}

// table holds settings by name. A name that is not in it has the zero value.
type table[T any] map[string]*setting[T]

func (t table[T]) set(name string, v T, now time.Time, delay time.Duration) {
	if t[name] == nil {
		t[name] = &setting[T]{}
	}
	t[name].set(v, now, delay)
}

func (t table[T]) get(name string, now time.Time) T {
	if s := t[name]; s != nil {
		return s.get(now)
	}
	var none T
	return none
}
