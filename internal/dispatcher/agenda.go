package dispatcher

import (
	"container/heap"
	"time"
)

// agenda says when each mailbox is to be seen to, earliest first. An addition, change or removal costs the logarithm of
// the number of mailboxes, and to learn that nothing is due costs one comparison. It is not safe for concurrent use.
type agenda struct {
	queue appointments
	of    map[string]*appointment // by mailbox token
}

type appointment struct {
	mb    string
	at    time.Time
	index int // in the queue
}

// set makes or moves a mailbox's appointment.
func (a *agenda) set(mb string, at time.Time) {
	if p, ok := a.of[mb]; ok {
		p.at = at
		heap.Fix(&a.queue, p.index)
		return
	}
	if a.of == nil {
		a.of = map[string]*appointment{}
	}
	p := &appointment{mb: mb, at: at}
	a.of[mb] = p
	heap.Push(&a.queue, p)
}

// move moves a mailbox's appointment unless it is no longer at from.
func (a *agenda) move(mb string, from, to time.Time) {
	if p, ok := a.of[mb]; ok && p.at.Equal(from) {
		a.set(mb, to)
	}
}

// drop removes a mailbox's appointment, if it has one.
func (a *agenda) drop(mb string) {
	if p, ok := a.of[mb]; ok {
		heap.Remove(&a.queue, p.index)
		delete(a.of, mb)
	}
}

// take returns at most n mailboxes whose time has come, the longest overdue first, and moves their appointments to next,
// which must be later than now.
func (a *agenda) take(n int, now, next time.Time) []string {
	var due []string
	for len(due) < n && len(a.queue) > 0 && !a.queue[0].at.After(now) {
		p := a.queue[0]
		due = append(due, p.mb)
		p.at = next
		heap.Fix(&a.queue, 0)
	}
	return due
}

// appointments is a heap by time.
type appointments []*appointment

func (q appointments) Len() int           { return len(q) }
func (q appointments) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q appointments) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *appointments) Push(x any) {
	p := x.(*appointment)
	p.index = len(*q)
	*q = append(*q, p)
}

func (q *appointments) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return p
}
