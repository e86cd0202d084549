package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Input is a file to be read.
type Input struct {
	Name string
	Data []byte
}

// Output is the file of Pharos that comes of it.
type Output struct {
	Data     []byte
	From     string // what was read
	Watchers int
	Left     int // things that could not be carried over, each a comment
}

// the programs whose files are known.
var asPython = regexp.MustCompile(`(?m)^\s*(import|from)\s+pharos\b|MetricWatcher\s*\(`)

// Import reads the files of one program, and says what it is by what is in them.
func Import(inputs ...Input) (*Output, error) {
	if len(inputs) == 0 {
		return nil, errors.New("no file to read")
	}
	f, from := &file{}, ""
	var modules []Input // of blackbox_exporter
	var scrapes []Input // of Prometheus
	for _, in := range inputs {
		name := filepath.Base(in.Name)
		what, read := recognise(in)
		switch what {
		case "":
			return nil, fmt.Errorf("reading %q: it is none of a Gatus configuration, an Uptime Kuma backup, the modules of a blackbox_exporter, a Prometheus configuration or list of targets, and a Pharos configuration in Python", in.Name)
		case blackboxModules:
			modules = append(modules, in)
		case prometheusTargets:
			scrapes = append(scrapes, in)
		default:
			if err := read(f, in.Data); err != nil {
				return nil, fmt.Errorf("reading %q as %s: %w", in.Name, what, err)
			}
		}
		from += map[bool]string{true: ", "}[from != ""] + what + ": " + name
	}
	if err := prometheus(f, modules, scrapes); err != nil {
		return nil, err
	}
	out := &Output{From: from, Left: f.left()}
	for _, s := range f.sets {
		out.Watchers += len(s.watchers)
	}
	if out.Watchers == 0 {
		return nil, fmt.Errorf("reading %s: nothing in it is watched%s", from, because(f.notes))
	}
	var err error
	out.Data, err = f.write(from)
	return out, err
}

func because(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

const (
	blackboxModules   = "modules of a blackbox_exporter"
	prometheusTargets = "targets of Prometheus"
)

// recognise says what a file is by what is in it; "": none that is known.
func recognise(in Input) (what string, read func(*file, []byte) error) {
	if asPython.Match(in.Data) {
		return "a Pharos configuration in Python", python
	}
	var top yaml.Node
	if bytes.HasPrefix(bytes.TrimSpace(in.Data), []byte("{")) || bytes.HasPrefix(bytes.TrimSpace(in.Data), []byte("[")) {
		var backup struct {
			MonitorList json.RawMessage `json:"monitorList"`
			Monitors    json.RawMessage `json:"monitors"`
		}
		if json.Unmarshal(in.Data, &backup) == nil && (backup.MonitorList != nil || backup.Monitors != nil) {
			return "an Uptime Kuma backup", kuma
		}
	}
	if yaml.Unmarshal(in.Data, &top) != nil || len(top.Content) == 0 {
		return "", nil
	}
	root := top.Content[0]
	has := func(key string) bool {
		for i := 0; root.Kind == yaml.MappingNode && i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == key {
				return true
			}
		}
		return false
	}
	switch {
	case has("endpoints"), has("external-endpoints"), has("suites"), has("services") && !has("version"):
		return "a Gatus configuration", gatus
	case has("modules"):
		return blackboxModules, nil
	case has("scrape_configs"), has("static_configs"):
		return prometheusTargets, nil
	case root.Kind == yaml.SequenceNode && len(root.Content) > 0:
		var groups []struct {
			Targets []string `yaml:"targets"`
		}
		if root.Decode(&groups) == nil && groups[0].Targets != nil {
			return prometheusTargets, nil
		}
	}
	return "", nil
}
