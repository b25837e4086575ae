//go:build !linux

package watch

import (
	"context"
	"errors"
)

// subscribe is for Linux only; elsewhere the looks at every poll interval serve.
func subscribe(context.Context, string) (subscription, error) {
	return subscription{}, errors.ErrUnsupported
}
