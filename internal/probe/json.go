package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/theory/jsonpath"

	"pharos/internal/field"
	"pharos/internal/redact"
)

// jsonPath is a path into a JSON document (RFC 9535); "a.b" is short for "$.a.b".
type jsonPath struct {
	text string
	path *jsonpath.Path
}

// parseJSONPath returns a path, or what is wrong with it.
func parseJSONPath(text string) (p jsonPath, wrong string) {
	full := text
	switch {
	case strings.HasPrefix(text, "$"):
	case strings.HasPrefix(text, "["):
		full = "$" + text
	default:
		full = "$." + text
	}
	path, err := jsonpath.Parse(full)
	if err != nil {
		return p, fmt.Sprintf("want a JSONPath such as $.queue.length, got %q: %s", field.Short(text), strings.TrimPrefix(err.Error(), "jsonpath: "))
	}
	return jsonPath{text, path}, ""
}

// decodeJSON reads one document, whose numbers stay as they are written.
func decodeJSON(text []byte) (document any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("there is nothing")
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind it")
	}
	return document, nil
}

// jsonNumber returns a value as a number: a text that holds one is one, and of a
// list it is the length.
func jsonNumber(v any) (float64, bool) {
	text := ""
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	case []any:
		return float64(len(v)), true
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && n-n == 0 // NaN and infinities are no values
}

// jsonText returns a value as the file would write it.
func jsonText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "null"
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	return fmt.Sprint(v)
}

// shownJSON is jsonText for a message: without secrets, and no longer than one.
func shownJSON(v any, r *redact.Redactor) string {
	const most = 80
	text := jsonText(v)
	if _, ok := v.(string); ok {
		text = strconv.Quote(text)
	}
	if len(text) > most {
		return r.Part(text, 0, most) + "..."
	}
	return text
}
