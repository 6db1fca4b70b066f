package store

import (
	"sort"
	"sync"
	"time"
)

// EffectKind says what happened to an item.
type EffectKind string

// Kinds of effects. A move is one effect of the target folder with the item's new id, except that moving to the deleted
// items by deleting is a delete. A copy is a create. Changing or deleting an occurrence is an update of its series.
const (
	EffectCreate EffectKind = "create"
	EffectUpdate EffectKind = "update"
	EffectDelete EffectKind = "delete"
	EffectMove   EffectKind = "move"
)

// Actor says who causes an effect. The zero value is the simulator itself.
type Actor struct {
	Name string // address or application id
	Call uint64 // the EWS call's number, 0 outside of one
}

// Effect is one change that was made to a mailbox.
type Effect struct {
	Seq       uint64     `json:"seq"` // counts all effects, from 1
	Time      time.Time  `json:"time"`
	Mailbox   string     `json:"mailbox"`
	Folder    string     `json:"folder"` // distinguished name, or id where it has none
	Kind      EffectKind `json:"kind"`
	ItemID    string     `json:"itemId"`
	OldID     string     `json:"oldId,omitempty"` // before a move
	ChangeKey string     `json:"changeKey,omitempty"`
	UID       string     `json:"uid,omitempty"`
	Actor     string     `json:"actor,omitempty"`
	Call      uint64     `json:"call,omitempty"`
	Booking   string     `json:"booking,omitempty"` // the client's own extended property, see Options
	// OriginalDate names the occurrence (yyyy-mm-dd) that an update changed or removed.
	OriginalDate string `json:"originalDate,omitempty"`
}

// maxEffects bounds the log; the oldest half is forgotten when it is full.
const maxEffects = 1 << 20

type effectLog struct {
	mu        sync.Mutex
	seq       uint64
	all       []Effect
	changed   chan struct{}
	observers []func(Effect)
}

func (l *effectLog) add(e Effect) {
	l.mu.Lock()
	l.seq++
	e.Seq = l.seq
	if len(l.all) >= maxEffects {
		l.all = append([]Effect(nil), l.all[maxEffects/2:]...)
	}
	l.all = append(l.all, e)
	close(l.changed)
	l.changed = make(chan struct{})
	observers := l.observers
	l.mu.Unlock()
	for _, f := range observers {
		f(e)
	}
}

// Effects returns the effects with a greater sequence number than since, oldest first.
func (c *Company) Effects(since uint64) []Effect {
	l := &c.effects
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sort.Search(len(l.all), func(i int) bool { return l.all[i].Seq > since })
	return append([]Effect(nil), l.all[i:]...)
}

// EffectsChanged returns a channel that is closed at the next effect. To wait without missing one, take the channel,
// then call [Company.Effects], then wait.
func (c *Company) EffectsChanged() <-chan struct{} {
	c.effects.mu.Lock()
	defer c.effects.mu.Unlock()
	return c.effects.changed
}

// OnEffect calls f after each effect from now on, while the mailbox is locked: f must not call into that mailbox. Calls
// for one mailbox come in order.
func (c *Company) OnEffect(f func(Effect)) {
	c.effects.mu.Lock()
	defer c.effects.mu.Unlock()
	c.effects.observers = append(c.effects.observers[:len(c.effects.observers):len(c.effects.observers)], f)
}
