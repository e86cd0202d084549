package config

import (
	"bytes"
	_ "embed"
)

//go:embed sample.yaml
var sample []byte

// Sample returns the file that is used when none is given. base is where the
// program serves its own pages, such as "http://127.0.0.1:8811".
func Sample(base string) []byte {
	return bytes.ReplaceAll(sample, []byte("BASE"), []byte(base))
}
