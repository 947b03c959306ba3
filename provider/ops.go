package provider

import (
	"fmt"
	"html"
	"strings"
)

// parseOp parses what follows ">" in a path.
func parseOp(s string) (func(string) string, error) {
	if prefix, ok := strings.CutPrefix(s, "strip:"); ok && prefix != "" {
		return func(v string) string { return strings.TrimPrefix(v, prefix) }, nil
	}
	switch s {
	case "lastseg":
		return func(v string) string { return v[strings.LastIndexByte(v, '/')+1:] }, nil
	case "noquery":
		return func(v string) string { v, _, _ = strings.Cut(v, "?"); return v }, nil
	case "nohtml":
		return html.UnescapeString, nil
	}
	return nil, fmt.Errorf("%w: nothing is called >%s", errPath, s)
}
