package probe

import "testing"

func TestFirstNumber(t *testing.T) {
	for _, row := range []struct {
		text, unit string
		want       float64
		problem    string
	}{
		{"5", "", 5, ""},
		{"lag: 2.5 s of 7", "s", 2.5, ""},
		{"load1=0.5", "", 0.5, ""},
		{"load-2", "", 2, ""},
		{"offset -3", "", -3, ""},
		{"offset=-3.25s", "s", -3.25, ""},
		{"offset −3", "", -3, ""},
		{"+5", "", 5, ""},
		{"1e2", "", 100, ""},
		{"1.5E-3 s", "s", 0.0015, ""},
		{".5", "", 0.5, ""},
		{"it is 5.", "", 5, ""},
		{"5, 6 and 7", "", 5, ""},
		{"[5]", "", 5, ""},
		{"time=0.012s;1;2;0", "s", 0.012, ""},
		{"95%", "%", 95, ""},
		{"95% used", "", 95, ""},
		{"0.52 0.58 0.59 1/467 12345", "", 0.52, ""},
		{"1,234,567", "", 1234567, ""},
		{"1,234.5", "", 1234.5, ""},
		{"1.234,5", "", 1234.5, ""},
		{"1'234", "", 1234, ""},
		{"1_000_000", "", 1000000, ""},
		{"1\u202f234", "", 1234, ""},
		{"120ms", "s", 0.12, ""},
		{"120 ms", "s", 0.12, ""},
		{"1.5 min", "s", 90, ""},
		{"2 s", "ms", 2000, ""},
		{"4.0G", "GB", 4, ""},
		{"21°C", "", 21, ""},
		{"3rd try", "", 3, ""},
		{"<v>5</v>", "", 5, ""},
		{`{"lag": 7}`, "", 7, ""},
		{"007", "", 7, ""},
		{"12 345 678", "", 12, ""},
		{"v1 is 2", "", 2, ""},

		{"1,234 ms", "ms", 0, `"1,234" in the output can be read as 1234 or as 1.234`},
		{"load average: 0,95", "", 0, `"0,95" in the output can be read as 0.95 or as 0 and 95`},
		{"load average: 0,95, 1,02", "", 0, `"0,95" in the output can be read as 0.95 or as 0 and 95`},
		{"0x1F", "", 0, `"0x1F" in the output can be read as 31 or as 0`},
		{"0b101", "", 0, `"0b101" in the output can be read as 5 or as 0`},
		{"1.234.567", "", 0, `"1.234.567" in the output is not one number`},
		{"192.168.0.1", "", 0, `"192.168.0.1" in the output is not one number`},
		{"1.2.3", "", 0, `"1.2.3" in the output is not one number`},
		{"1,2,3", "", 0, `"1,2,3" in the output is not one number`},
		{"12:30", "", 0, `"12:30" in the output is not one number`},
		{"2026-11-25 ok", "", 0, `"2026-11-25" in the output is not one number`},
		{"1/467", "", 0, `"1/467" in the output is not one number`},
		{"5-10 s", "s", 0, `"5-10" in the output is not one number`},
		{"10.5k", "", 0, `"10.5k" in the output has a unit that grows with the number; name the one that is wanted, as in unit: k`},
		{"900M", "GB", 0, `"900M" in the output is not in "GB"`},
		{"900 MB", "GB", 0, `"900 MB" in the output is not in "GB"`},
		{"120ms", "%", 0, `"120ms" in the output is not in "%"`},
		{"1h30m", "s", 0, `"1h30m" in the output is not one number`},
		{"1e400", "", 0, `"1e400" in the output is not a plain number`},
		{"--5", "", 0, `"--5" in the output is not a plain number`},
		{"٣٤ 5", "", 0, `"٣٤" in the output has digits that are not 0 to 9`},
		{"2½ h", "h", 0, `"2½" in the output has digits that are not 0 to 9`},
		{"1e5e5", "", 0, `"1e5e5" in the output is not one number`},
		{"none", "", 0, "no number in the output"},
		{"nan", "", 0, "no number in the output"},
	} {
		got, problem := firstNumber(row.text, row.unit)
		if got != row.want || problem != row.problem {
			t.Errorf("%q in %q: got %v %q\nwant %v %q", row.text, row.unit, got, problem, row.want, row.problem)
		}
	}
}
