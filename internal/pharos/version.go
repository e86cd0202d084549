package pharos

// Version is this program's own, as it is told in --version, in the user agent
// and in the beats.
const Version = "0.1.0"
