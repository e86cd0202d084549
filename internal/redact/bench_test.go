package redact

import (
	"strings"
	"testing"
)

func BenchmarkText(b *testing.B) {
	s := make(Secrets)
	for _, v := range []string{"geheimnis", "s3cr3t-0123", "another-one"} {
		s.Add(v)
	}
	r := s.Redactor()
	for name, text := range map[string]string{"address": "127.0.0.1:8080", "phases": "lookup 0.000 connect 0.001 tls 0.000 first_byte 0.002 transfer 0.000 total 0.003 (200)", "output": strings.Repeat("a line of output: x=5, y at 10:00\n", 100)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Text(text)
			}
		})
	}
}
