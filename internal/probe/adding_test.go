package probe

import (
	"context"

	"pharos/internal/field"
	"pharos/internal/pharos"
)

var documentedTCP = Kind{
	Key:    "tcp",
	Doc:    "Connects to a port, and closes the connection again. Its value is the time until it is connected.",
	Phases: []string{"lookup", "connect"},
	New:    func() Spec { return &documentedSpec{} },
}

type documentedSpec struct {
	field.Section
	TCP field.Endpoint `yaml:"tcp" doc:"A host and a port, such as db.example:5432." required:"true"`
	IP  field.Word     `yaml:"ip" words:"4 6" doc:"4 or 6: this version of IP alone." default:"either"`
}

func (s *documentedSpec) Check(c *field.Checker) {
	checkIP(c, &s.Section, s.TCP.Host(), s.IP)
}

func (s *documentedSpec) Target() string { return string(s.TCP) }

func (s *documentedSpec) Traits() pharos.Traits {
	return pharos.Traits{Class: pharos.Socket, Timed: true, Network: true}
}

func (s *documentedSpec) Prepare(e *Engine, w pharos.Watcher) (Run, error) {
	return func(ctx context.Context, t *Trace) Measurement {
		c, err := e.connect(ctx, t, s.IP.Int(), string(s.TCP))
		if err != nil {
			return pharos.Failure(err)
		}
		defer c.Close()
		return Measurement{Facts: []pharos.Fact{{Name: "address", Value: c.RemoteAddr().String()}}}
	}, nil
}
