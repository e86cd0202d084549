package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestWhatTakesARestartIsNamed(t *testing.T) {
	all := []Keys{PlaceKeys, BrokerKeys, ServerKeys, BoardKeys}
	for what, part := range map[string]func(c *Config) any{
		"nats":      func(c *Config) any { return &c.NATS },
		"dashboard": func(c *Config) any { return &c.Dashboard },
		"limits":    func(c *Config) any { return &c.Dashboard.Limits },
	} {
		of := reflect.TypeOf(part(Default())).Elem()
		for i := range of.NumField() {
			c := Default()
			switch v := reflect.ValueOf(part(c)).Elem().Field(i); v.Kind() {
			case reflect.String:
				v.SetString("hunter2")
			case reflect.Int:
				v.SetInt(99)
			case reflect.Slice:
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			default: // those can change
				continue
			}
			err := Default().CheckReload(c, all...)
			name := of.Field(i).Name
			key := what + "." + strings.ToLower(name)
			if what == "limits" {
				key = "dashboard." + map[string]string{"Watchers": "maxwatchers", "Screens": "maxscreens", "PerAddress": "maxscreensperaddress"}[name]
			}
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "_", ""), "a change of "+key+" takes a restart") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: got %v", key, err)
			}
		}
	}
	c := Default()
	c.Title, c.Dashboard.Views, c.Site, c.NATS.URL, c.Dashboard.Listen, c.Dashboard.TLS.CertFile = "Another", nil, "oslo", "nats://b:4222", ":1", "wall.pem"
	for _, tt := range []struct {
		fixed []Keys
		want  string
	}{
		{nil, ""},
		{[]Keys{ServerKeys}, ""},
		{[]Keys{PlaceKeys, BrokerKeys}, "applying the file: a change of site, nats.url takes a restart"},
		{[]Keys{BoardKeys}, "applying the file: a change of dashboard.listen, dashboard.tls takes a restart"},
	} {
		got := ""
		if err := Default().CheckReload(c, tt.fixed...); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("got %q, wanted %q", got, tt.want)
		}
	}
}
