package web

import (
	"cmp"

	"github.com/labstack/echo/v4"

	"pharos/internal/board"
	"pharos/internal/redact"
)

// Detail is how much somebody sees of what a watcher looks at and has seen,
// besides its status, its value and for how long.
type Detail string

// The levels of detail.
const (
	None     Detail = "none"
	Redacted Detail = "redacted" // reasons, phases, facts and output, without a command's arguments and an address's query
	Full     Detail = "full"     // targets and command lines, too
)

// text returns what is seen of a text of a prober.
func (d Detail) text(s string, t *board.Tile) string {
	switch d {
	case Full:
		return s
	case None:
		return ""
	}
	return redact.Arguments(s, t.Address, t.Command)
}

// detail returns what who asks may see.
func (s *Server) detail(echo.Context) Detail {
	return cmp.Or(s.settings.Load().Detail, Redacted)
}
