package watch

import (
	"context"
	"errors"
	"time"
)

// ask makes a request; once pressed for time, it makes it once more where there is no
// answer soon: one that is never answered, be it under way by then, must not take what
// a stop of the kubelet's own leaves. The first answer counts. One that would not be
// made any more, as still has it, is given up.
func ask[T any](ctx context.Context, pressed <-chan struct{}, still func() bool, request func(context.Context) (*T, error)) (*T, error) {
	type answer struct {
		object *T
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, wanted := make(chan answer, 2), make(chan bool, 1)
	once := func() {
		object, err := request(ctx)
		answers <- answer{object, err}
	}
	go once()
	var due <-chan time.Time
	for again := true; ; {
		select {
		case a := <-answers:
			return a.object, a.err
		case <-pressed:
			pressed, due = nil, time.After(askAgain)
		case <-due:
			go func() { wanted <- still() }()
		case ok := <-wanted:
			switch {
			case !ok:
				return nil, errNews
			case again:
				again = false
				go once()
			}
			due = time.After(askAgain)
		}
	}
}

func anyway() bool { return true }

// errNews is never the last word: what has come is sent next.
var errNews = errors.New("given up without an answer, since there is something else to send")

// sends reports whether a write under way is what would be sent now, after one more
// look at the file.
func (l *loop) sends(ctx context.Context, p *patch) bool {
	var found look
	if !p.verdict.own && l.Misconfigured == nil {
		found = l.file.lookAt(l.Path)
	}
	reply := make(chan bool, 1)
	l.answer(ctx, func() { reply <- l.s.sends(p, found) })
	select {
	case still := <-reply:
		return still
	case <-ctx.Done():
		return false
	}
}

// askAgain is above what a healthy API server takes, and leaves time for each of
// Job, Pod and PATCH to be asked for twice within the two seconds of an eviction.
const askAgain = 200 * time.Millisecond
