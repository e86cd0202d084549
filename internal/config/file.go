package config

// The types of this file are the file's keys: the reader, the JSON Schema and
// the tables of docs/config.md are made from them. The tag doc is the key's
// sentence there, default what it is when the file is silent, and kind the
// sort of watcher that it belongs to where it does not belong to both.

type file struct {
	section
	Title     line          `yaml:"title" doc:"The headline of the board." default:"Pharos"`
	Tagline   line          `yaml:"tagline" doc:"One line under the headline."`
	Site      name          `yaml:"site" doc:"Where this prober stands." default:"local"`
	Prober    name          `yaml:"prober" doc:"This prober's name, as the board says it." default:"the host's name"`
	Defaults  defaultsKeys  `yaml:"defaults" doc:"What holds for every watcher that does not say otherwise."`
	Sets      []setKeys     `yaml:"sets" doc:"The watchers, in the order in which the board shows them."`
	NATS      natsKeys      `yaml:"nats" doc:"The way to NATS."`
	Dashboard dashboardKeys `yaml:"dashboard" doc:"What the dashboard does."`
}

type defaultsKeys struct {
	section
	Interval   duration   `yaml:"interval" doc:"From one look to the next: at least 100ms, at most 24h." default:"2s"`
	Timeout    duration   `yaml:"timeout" doc:"After which a look is given up: critical. At most 1h." default:"10s"`
	Thresholds thresholds `yaml:"thresholds" doc:"Of pages alone: a command's value can be in any unit."`
	Fall       count      `yaml:"fall" doc:"Bad looks in a row until it is critical; before, warning." default:"1"`
	Rise       count      `yaml:"rise" doc:"Good looks in a row until it is ok again; before, warning." default:"1"`
}

type setKeys struct {
	section
	Name     name          `yaml:"name" doc:"The set's headline, its own in the file." required:"true"`
	Watchers []watcherKeys `yaml:"watchers" doc:"What is watched." required:"true"`
}

type watcherKeys struct {
	section
	Name       name       `yaml:"name" doc:"The tile's name, its own in the set." required:"true"`
	Page       address    `yaml:"page" doc:"The http or https address of a page to get: a watcher has a page or a command."`
	Command    command    `yaml:"command" doc:"A command to run: a text goes through sh -c, a list is run as it is. Exit code 0 is ok."`
	Interval   duration   `yaml:"interval" doc:"From one look to the next: at least 100ms, at most 24h." default:"defaults, or 2s"`
	Timeout    duration   `yaml:"timeout" doc:"After which a look is given up: critical. At most 1h." default:"defaults, or 10s"`
	Thresholds thresholds `yaml:"thresholds" doc:"Bounds of a page's time or of the number that a command says; instead of those of defaults, not on top of them."`
	Fall       count      `yaml:"fall" doc:"Bad looks in a row until it is critical; before, warning." default:"defaults, or 1"`
	Rise       count      `yaml:"rise" doc:"Good looks in a row until it is ok again; before, warning." default:"defaults, or 1"`
	SSHHost    text       `yaml:"ssh_host" doc:"Look from there, through the system's ssh."`
	Reference  yesNo      `yaml:"reference" doc:"Part of the prober's own network: when it fails too, the prober is what is cut off." default:"false"`

	Unit  text       `yaml:"unit" kind:"command" doc:"The value's unit: s, %, days, B, or any other word of at most 16 bytes."`
	Value valueRule  `yaml:"value" kind:"command" doc:"What the value is: exit_code, number (the first of the output), or a pattern's first group." default:"exit_code"`
	Env   dictionary `yaml:"env" kind:"command" doc:"Variables on top of the prober's own."`
	Dir   text       `yaml:"dir" kind:"command" doc:"Working directory; with ssh_host, one over there." default:"the prober's"`

	Method          text       `yaml:"method" kind:"page" doc:"The request's method, in capitals." default:"GET"`
	Headers         dictionary `yaml:"headers" kind:"page" doc:"Headers of the request."`
	Body            text       `yaml:"body" kind:"page" doc:"The request's body; wants a method."`
	BasicAuth       login      `yaml:"basic_auth" kind:"page" doc:"A name and password for the page; in the address (https://user:password@host/) they mean the same."`
	Bearer          secret     `yaml:"bearer" kind:"page" doc:"A token, sent as Authorization: Bearer."`
	Status          statuses   `yaml:"status" kind:"page" doc:"Status codes that are ok: numbers and ranges such as 301-303." default:"200-299"`
	FollowRedirects yesNo      `yaml:"follow_redirects" kind:"page" doc:"Follow up to 10 redirects, until one that status wants." default:"true"`
	Match           patterns   `yaml:"match" kind:"page" doc:"Regular expressions (RE2) that the body must match, each of them; ^ and $ are the ends of a line."`
	NotMatch        patterns   `yaml:"not_match" kind:"page" doc:"Regular expressions that the body must not match, none of them. If the body was not read whole: unknown."`
	TLS             tlsKeys    `yaml:"tls" kind:"page" doc:"How the certificate is checked."`
	IP              ipVersion  `yaml:"ip" kind:"page" doc:"4 or 6: this version of IP alone." default:"either"`
	KeepAlive       yesNo      `yaml:"keep_alive" kind:"page" doc:"Keep the connection between looks, for at most half a minute, instead of a new one for each." default:"false"`
	MaxBody         byteSize   `yaml:"max_body" kind:"page" doc:"How much of the body is read, and unpacked: bytes, or with KB, MB, KiB, MiB; at most 64MiB." default:"1MiB"`
}

// thresholdKeys is the mapping form of thresholds.
type thresholdKeys struct {
	section
	TooFast   bound       `yaml:"too_fast" doc:"At or below it: warning. An answer that fast is no answer."`
	Warning   bound       `yaml:"warning" doc:"From it on: warning."`
	Critical  bound       `yaml:"critical" doc:"From it on: critical. Of a command, below warning: less is worse."`
	Lookup    phaseBounds `yaml:"lookup" kind:"page" doc:"Bounds of the name lookup alone."`
	Connect   phaseBounds `yaml:"connect" kind:"page" doc:"Bounds of the TCP connect."`
	TLS       phaseBounds `yaml:"tls" kind:"page" doc:"Bounds of the TLS handshake."`
	FirstByte phaseBounds `yaml:"first_byte" kind:"page" doc:"Bounds of the wait for the first byte."`
	Transfer  phaseBounds `yaml:"transfer" kind:"page" doc:"Bounds of the rest, to the last byte."`
}

type phaseBounds struct {
	section
	Warning  bound `yaml:"warning" doc:"From it on: warning."`
	Critical bound `yaml:"critical" doc:"From it on: critical."`
}

type login struct {
	section
	User     text   `yaml:"user" doc:"The name." required:"true"`
	Password secret `yaml:"password" doc:"The password."`
}

// The files of tlsKeys are over there where the watcher has an ssh_host.
type tlsKeys struct {
	section
	Insecure   yesNo `yaml:"insecure" doc:"Any certificate will do." default:"false"`
	CAFile     text  `yaml:"ca_file" doc:"Trust these certificates (PEM) instead of the system's."`
	ServerName text  `yaml:"server_name" doc:"The name that the certificate must have." default:"the address's host"`
	ClientCert text  `yaml:"client_cert" doc:"Our certificate (PEM); goes with client_key."`
	ClientKey  text  `yaml:"client_key" doc:"Its key (PEM)."`
}

type natsKeys struct {
	section
	URL         brokers    `yaml:"url" doc:"nats://, tls://, ws:// or wss:// addresses, separated by commas."`
	Credentials path       `yaml:"credentials" doc:"File with a user's JWT and seed (.creds)."`
	NKey        path       `yaml:"nkey" doc:"File with an NKey's seed."`
	User        text       `yaml:"user" doc:"User name; goes with password."`
	Password    secret     `yaml:"password" doc:"The user's password."`
	Token       secret     `yaml:"token" doc:"A token, where the broker wants one."`
	CAFile      path       `yaml:"ca_file" doc:"Trust these certificates (PEM) instead of the system's."`
	CertFile    path       `yaml:"cert_file" doc:"Our certificate (PEM); goes with key_file. Beside listen it is the server's, which then takes TLS alone."`
	KeyFile     path       `yaml:"key_file" doc:"Its key (PEM)."`
	Listen      text       `yaml:"listen" doc:"The all-in-one's server: where it listens for other probers; beyond loopback only with users." default:"nowhere"`
	StoreDir    storeDir   `yaml:"store_dir" doc:"The all-in-one's server: folder that keeps the last values over a restart; memory: nothing is kept." default:"a state folder"`
	Users       []userKeys `yaml:"users" doc:"The all-in-one's server: who may connect."`
}

type userKeys struct {
	section
	Name     text   `yaml:"name" doc:"The user's name." required:"true"`
	Password secret `yaml:"password" doc:"The user's password." required:"true"`
}

type dashboardKeys struct {
	section
	Listen         text      `yaml:"listen" doc:"Where the board is served." default:":8811"`
	MaxWatchers    count     `yaml:"max_watchers" doc:"Tiles that the board holds; it says when it is full." default:"10000"`
	MaxScreens     count     `yaml:"max_screens" doc:"Browsers at the same time. When there are more, those of the address with the most give way." default:"5000"`
	PerAddress     count     `yaml:"max_screens_per_address" doc:"Of them, from one address; of IPv6, from one /64." default:"1000"`
	Admin          text      `yaml:"admin" doc:"A second place, on this machine alone, for /metrics and /healthz; the board's own has no /metrics then." default:"nowhere"`
	Hosts          hostNames `yaml:"hosts" doc:"Names by which people reach the board, besides addresses, localhost and this machine's own name. Any other name gets a 421." default:"none"`
	FrameAncestors sources   `yaml:"frame_ancestors" doc:"Sites that may show the board in a frame: https://intranet.example.com, or self." default:"none"`
	TrustedProxies networks  `yaml:"trusted_proxies" doc:"Addresses of the reverse proxies in front: what they say of a request (X-Forwarded-For, -Proto) is believed." default:"none"`
	Merge          merge     `yaml:"merge" doc:"A watcher of several sites is one tile, of the worst status or of most sites' status; or a tile for each site." default:"none"`
	Views          views     `yaml:"views" doc:"Boards with an address of their own: lobby is /lobby. A name is of a-z, 0-9 and -."`
}

type viewKeys struct {
	section
	Set      someNames `yaml:"set" doc:"These sets alone; also of probers that have another file." default:"all"`
	Site     someNames `yaml:"site" doc:"These sites alone." default:"all"`
	Collapse someNames `yaml:"collapse" doc:"These sets are one tile each: their worst status, and how many of each."`
	Merge    merge     `yaml:"merge" doc:"As in dashboard." default:"the dashboard's"`
	Theme    theme     `yaml:"theme" doc:"The colours." default:"dark"`
	Palette  palette   `yaml:"palette" doc:"blue: for people who confuse red and green."`
	Zoom     zoom      `yaml:"zoom" doc:"How large letters are, from 0.5 to 3." default:"1"`
	Rotate   duration  `yaml:"rotate" doc:"Show what does not fit large enough page by page, each for so long: at least 5s."`
	Shift    yesNo     `yaml:"shift" doc:"Move the board by a few pixels each minute, on a screen that burns in." default:"false"`
}
