package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// client does what an administrator does, or whoever has the token.
type client struct {
	base  string
	token string
	http  *http.Client
}

// do sends one request; in and out, where not nil, are JSON. A refusal is an
// *apierrors.StatusError.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	page, _, err := c.send(ctx, method, path, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(page, out)
}

// send sends one request with a body of this media type.
func (c *client) send(ctx context.Context, method, path, kind string, body []byte) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", kind)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode/100 != 2 {
		var status metav1.Status
		if json.Unmarshal(data, &status) == nil && status.Kind == "Status" {
			return nil, nil, fmt.Errorf("%s %s: %w", method, path, &apierrors.StatusError{ErrStatus: status})
		}
		return nil, nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	return data, resp.Header, nil
}

// statusOf is the server's own answer in an error; nil where there is none.
func statusOf(err error) *metav1.Status {
	if status := (*apierrors.StatusError)(nil); errors.As(err, &status) {
		return &status.ErrStatus
	}
	return nil
}

func notFound(err error) bool {
	var status *apierrors.StatusError
	return errors.As(err, &status) && apierrors.IsNotFound(status)
}
