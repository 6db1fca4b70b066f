package config

// Choice is the error that word is none of the choices, with the one that was probably meant. what ends in a verb, such as
// "must be".
func Choice(what, word string, choices []string) error { return unknown(what, word, choices) }
