package probe

import (
	"context"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var tcp = Kind{
	Key: "tcp", Doc: "Connects to a port, and closes the connection again.", Phases: []string{"lookup", "connect"},
	New: func() Spec { return new(tcpSpec) },
}

type tcpSpec struct {
	field.Section
	TCP field.Endpoint `yaml:"tcp" also:"port socket" doc:"A host and a port to connect to, such as db.example:5432." required:"true"`
	IP  field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

func (s *tcpSpec) Check(*field.Checker) {}
func (s *tcpSpec) Target() string       { return string(s.TCP) }
func (s *tcpSpec) Traits() pharos.Traits {
	return pharos.Traits{Timed: true, Network: true}
}

func (s *tcpSpec) Prepare(e *Engine, _ pharos.Watcher) (Run, error) {
	return func(ctx context.Context, t *Trace) Measurement {
		c, err := e.connect(ctx, t, s.IP.Int(), string(s.TCP))
		if err != nil {
			return pharos.Failure(err)
		}
		defer c.Close()
		return Measurement{Facts: []pharos.Fact{{Name: "address", Value: c.RemoteAddr().String()}}}
	}, nil
}
