package config

import "pharos/internal/field"

// The types of this file are the file's keys, but for those of the kinds of
// watchers: the reader, the JSON Schema and the tables of docs/config.md are made
// from them. Package field says what their tags mean.

// The types of values; those of this room are beside what they are for.
type (
	text     = field.Text
	line     = field.Line
	name     = field.Name
	names    = field.Names
	path     = field.Path
	secret   = field.Secret
	duration = field.Duration
	count    = field.Int
	float    = field.Float
	yesNo    = field.YesNo
	word     = field.Word
	bound    = field.Bound
	link     = field.Address
)

type file struct {
	field.Section
	Title     line          `yaml:"title" doc:"The headline of the board." default:"Pharos"`
	Tagline   line          `yaml:"tagline" doc:"One line under the headline."`
	Site      name          `yaml:"site" doc:"Where this prober stands." default:"local"`
	Prober    name          `yaml:"prober" doc:"This prober's name, as the board says it." default:"the host's name"`
	Share     yesNo         `yaml:"share" doc:"Probers of one site with the same watchers share them: each is run by one of them. false: every prober runs them all." default:"true"`
	Weight    count         `yaml:"weight" doc:"How much this prober takes beside the others that it shares with: 1 to 100." default:"1" max:"100"`
	NATS      natsKeys      `yaml:"nats" doc:"The way to NATS."`
	Dashboard dashboardKeys `yaml:"dashboard" doc:"What the dashboard does."`
}

// watched are the keys that only who runs the watchers reads.
type watched struct {
	field.Section
	Defaults defaultsKeys `yaml:"defaults" doc:"What holds for every watcher that does not say otherwise."`
	Sets     []setKeys    `yaml:"sets" also:"groups" doc:"The watchers, in the order in which the board shows them."`
}

type defaultsKeys struct {
	field.Section
	Interval   duration   `yaml:"interval" also:"every period" doc:"From one run to the next: at least 100ms, at most 1d." default:"2s"`
	Timeout    duration   `yaml:"timeout" doc:"After which a run is given up: critical. At most 1h." default:"10s"`
	Thresholds thresholds `yaml:"thresholds" doc:"Of watchers whose value is the time that a run takes: all others are in units of their own."`
	Fall       count      `yaml:"fall" doc:"Bad runs in a row until it is critical; before, warning." default:"1"`
	Rise       count      `yaml:"rise" doc:"Good runs in a row until it is ok again; before, warning." default:"1"`
}

type setKeys struct {
	field.Section
	Name     name     `yaml:"name" doc:"The set's headline, its own in the file." required:"true"`
	Watchers watchers `yaml:"watchers" also:"checks monitors endpoints" doc:"What is watched." required:"true"`
}

// watcherKeys are those that a watcher of every kind has.
type watcherKeys struct {
	field.Section
	Name        name       `yaml:"name" also:"title label id" doc:"The tile's name, its own in the set." required:"true"`
	Description line       `yaml:"description" also:"comment notes" doc:"What people should know of it, one line of the detail."`
	Link        link       `yaml:"link" also:"runbook runbook_url docs" doc:"The http or https address of a page for people, such as what to do: a link in the detail."`
	Enabled     yesNo      `yaml:"enabled" also:"active" doc:"false: it is read and checked, and not watched." default:"true"`
	Interval    duration   `yaml:"interval" also:"every period" doc:"From one run to the next: at least 100ms, at most 1d." default:"defaults, or 2s"`
	Timeout     duration   `yaml:"timeout" doc:"After which a run is given up: critical. At most 1h." default:"defaults, or 10s"`
	Thresholds  thresholds `yaml:"thresholds" also:"warning critical warn crit threshold" doc:"Bounds of the value and of phases; instead of those of defaults, not on top of them."`
	Fall        count      `yaml:"fall" also:"failures failure_threshold max_check_attempts" doc:"Bad runs in a row until it is critical; before, warning." default:"defaults, or 1"`
	Rise        count      `yaml:"rise" also:"successes success_threshold" doc:"Good runs in a row until it is ok again; before, warning." default:"defaults, or 1"`
	SSHHost     text       `yaml:"ssh_host" also:"via jump" doc:"Run there, through the system's ssh."`
	Reference   yesNo      `yaml:"reference" doc:"Part of the prober's own network: when it fails too, the prober is what is cut off." default:"false"`
}

// thresholdKeys is the mapping form of thresholds; beside these, the names of the
// kind's phases are keys.
type thresholdKeys struct {
	field.Section
	TooFast  bound `yaml:"too_fast" doc:"At or below it: warning. An answer that fast is no answer."`
	Warning  bound `yaml:"warning" also:"warn yellow" doc:"From it on: warning."`
	Critical bound `yaml:"critical" also:"crit red error" doc:"From it on: critical. Below warning: less is worse."`
}

type natsKeys struct {
	field.Section
	URL         brokers    `yaml:"url" doc:"nats://, tls://, ws:// or wss:// addresses, separated by commas."`
	Key         path       `yaml:"key" doc:"Key file that \"keys add\" has made: who we are, where NATS is and how we know it; url goes before its address."`
	Credentials path       `yaml:"credentials" doc:"File with a user's JWT and seed (.creds)."`
	NKey        path       `yaml:"nkey" doc:"File with an NKey's seed."`
	User        text       `yaml:"user" doc:"User name; goes with password."`
	Password    secret     `yaml:"password" doc:"The user's password."`
	Token       secret     `yaml:"token" doc:"A token, where the broker wants one."`
	CAFile      path       `yaml:"ca_file" doc:"Trust these certificates (PEM) instead of the system's."`
	CertFile    path       `yaml:"cert_file" doc:"Our certificate (PEM); goes with key_file. Beside listen it is the server's, which then takes TLS alone."`
	KeyFile     path       `yaml:"key_file" doc:"Its key (PEM)."`
	Replicas    count      `yaml:"replicas" doc:"How many servers of a cluster keep each last value, where the dashboard makes the streams: 1, 3 or 5." default:"1"`
	Listen      text       `yaml:"listen" doc:"The all-in-one's server: where it listens for other probers. Beyond loopback, it speaks TLS, and wants a key or a user's password." default:"nowhere"`
	Keys        path       `yaml:"keys" doc:"The all-in-one's server: folder in which \"keys add\" makes keys for other machines." default:"in the state folder"`
	StoreDir    storeDir   `yaml:"store_dir" doc:"The all-in-one's server: folder that keeps the last values over a restart; memory: nothing is kept." default:"a state folder"`
	Users       []userKeys `yaml:"users" doc:"The all-in-one's server: who may connect with a password, and say everything. A key of keys add says less."`
}

type userKeys struct {
	field.Section
	Name     text   `yaml:"name" doc:"The user's name." required:"true"`
	Password secret `yaml:"password" doc:"The user's password." required:"true"`
}

type dashboardKeys struct {
	field.Section
	Listen         text      `yaml:"listen" doc:"Where the board is served." default:":8811"`
	MaxWatchers    count     `yaml:"max_watchers" doc:"Tiles that the board holds; it says when it is full." default:"10000"`
	MaxScreens     count     `yaml:"max_screens" doc:"Browsers at the same time. When there are more, those of the address with the most give way." default:"5000"`
	PerAddress     count     `yaml:"max_screens_per_address" doc:"Of them, from one address; of IPv6, from one /64." default:"1000"`
	Admin          text      `yaml:"admin" doc:"A second place, on this machine alone, for /metrics and /healthz; the board's own has no /metrics then." default:"nowhere"`
	TLS            pairKeys  `yaml:"tls" doc:"The board is served over HTTPS alone."`
	Hosts          hostNames `yaml:"hosts" doc:"Names by which people reach the board, besides addresses, localhost and this machine's own name. Any other name gets a 421." default:"none"`
	FrameAncestors sources   `yaml:"frame_ancestors" doc:"Sites that may show the board in a frame: https://intranet.example.com, or self." default:"none"`
	TrustedProxies networks  `yaml:"trusted_proxies" doc:"Addresses of the reverse proxies in front: what they say of a request (X-Forwarded-For, -Proto) is believed." default:"none"`
	Access         word      `yaml:"access" words:"open signed_in" doc:"Who sees the board: open, everybody who can reach it; signed_in, users and screens." default:"open"`
	Users          accounts  `yaml:"users" doc:"Who may sign in."`
	Screens        screens   `yaml:"screens" doc:"Televisions and others that may look without signing in, each with a key that is opened once: /lobby?key=..."`
	Push           pushes    `yaml:"push" doc:"Who may push the states of watchers over HTTP, to /api/v1/push/SET/WATCHER."`
	UserHeader     header    `yaml:"user_header" doc:"A header in which a trusted proxy names who has signed in there; the proxy must take it out of what clients send." default:"none"`
	Detail         word      `yaml:"detail" words:"none redacted full" doc:"What those see who are not signed in, besides status and value. none: nothing. redacted: reasons, phases, facts and output, without secrets, a command's arguments and an address's query. full: all, targets and command lines too." default:"redacted"`
	Merge          word      `yaml:"merge" words:"worst majority none" doc:"A watcher of several sites is one tile, of the worst status or of most sites' status; or a tile for each site." default:"none"`
	Views          viewsKeys `yaml:"views" doc:"Boards with an address of their own: lobby is /lobby. A name is of a-z, 0-9 and -."`
}

type pairKeys struct {
	field.Section
	CertFile path `yaml:"cert_file" doc:"The certificate and those between it and the CA's (PEM). Read again when it changes." required:"true"`
	KeyFile  path `yaml:"key_file" doc:"Its key (PEM)." required:"true"`
}

type accountKeys struct {
	field.Section
	Name     name     `yaml:"name" doc:"As it is typed to sign in." required:"true"`
	Password passHash `yaml:"password" doc:"The line that \"dashboard passwd\" prints." required:"true"`
}

type screenKeys struct {
	field.Section
	Name viewName  `yaml:"name" doc:"Its address, /lobby: of a-z, 0-9 and -." required:"true"`
	Key  screenKey `yaml:"key" doc:"A secret of at least 16 characters, such as \"openssl rand -hex 16\" makes. Deleting the line, or another key, shuts the screen out." required:"true"`
	View viewName  `yaml:"view" doc:"What its address shows: a name of views." default:"the view of its name, or /"`
}

type pushKeys struct {
	field.Section
	Token    screenKey `yaml:"token" doc:"A secret of at least 16 characters, which is sent as a bearer token." required:"true"`
	Subjects subjects  `yaml:"subjects" doc:"SITE.SET.WATCHER that it is good for, each a token, or * for any set or watcher." required:"true"`
}

type viewKeys struct {
	field.Section
	Set      names    `yaml:"set" doc:"These sets alone; also of probers that have another file." default:"all"`
	Site     names    `yaml:"site" doc:"These sites alone." default:"all"`
	Collapse names    `yaml:"collapse" doc:"These sets are one tile each: their worst status, and how many of each."`
	Merge    word     `yaml:"merge" words:"worst majority none" doc:"As in dashboard." default:"the dashboard's"`
	Theme    word     `yaml:"theme" words:"dark light contrast auto" doc:"The colours; auto: as the browser's system has them." default:"dark"`
	Palette  word     `yaml:"palette" words:"blue" doc:"blue: for people who confuse red and green."`
	Zoom     float    `yaml:"zoom" min:"0.5" max:"3" doc:"How large letters are, from 0.5 to 3." default:"1"`
	Rotate   duration `yaml:"rotate" doc:"Show what does not fit large enough page by page, each for so long: at least 5s."`
	Shift    yesNo    `yaml:"shift" doc:"Move the board by a few pixels each minute, on a screen that burns in." default:"false"`
	Night    night    `yaml:"night" doc:"When all that is well is dimmed, as 20:00-07:00. Problems stay bright."`
	TZ       timeZone `yaml:"tz" doc:"The time zone of the clock, as Europe/Berlin." default:"the browser's"`
	Clock    word     `yaml:"clock" words:"12h 24h" doc:"How the time is told." default:"24h"`
	Sound    yesNo    `yaml:"sound" doc:"A soft tone when something turns critical, another when nothing is any more." default:"false"`
	Title    line     `yaml:"title" doc:"The headline of this board." default:"the file's"`
	Logo     path     `yaml:"logo" doc:"A picture beside the headline: a file of up to 100 KB (PNG, JPEG, GIF, WebP or SVG)."`
}
