package seed

var firstNames = []string{
	"Anna", "Beat", "Carla", "Daniel", "Elena", "Fabio", "Gina", "Hans", "Isabelle", "Jan", "Katrin", "Luca", "Martina",
	"Nicolas", "Olivia", "Pascal", "Regula", "Stefan", "Tanja", "Urs", "Vera", "Walter", "Xenia", "Yves", "Zoë",
	"Aisha", "Björn", "Chloé", "Dmitri", "Émile", "François", "Giulia", "Håkon", "Ivana", "José", "Kenji", "Łukasz",
	"Mehmet", "Nadia", "Özlem", "Priya", "Quentin", "Rafael", "Søren", "Thi", "Uma", "Véronique", "Wei", "Yasmin",
}

var lastNames = []string{
	"Müller", "Meier", "Schmid", "Keller", "Weber", "Huber", "Schneider", "Meyer", "Steiner", "Fischer", "Gerber",
	"Brunner", "Baumann", "Frei", "Zimmermann", "Moser", "Widmer", "Wyss", "Graf", "Roth", "Baumgartner", "Studer",
	"Bucher", "Berger", "Rossi", "Bianchi", "Favre", "Rochat", "Dubois", "Nguyen", "Kowalski", "O'Neill", "D'Souza",
	"Sørensen", "Núñez", "Yılmaz", "Tanaka", "Okafor", "Smith-Jones", "Andersson", "van den Berg", "Krämer",
}

var buildings = []string{"Matterhorn", "Eiger", "Jungfrau", "Säntis", "Pilatus", "Rigi", "Titlis", "Piz Bernina"}

// Most people sit in the middle of Europe.
var zones = []string{
	"W. Europe Standard Time", "W. Europe Standard Time", "W. Europe Standard Time", "W. Europe Standard Time",
	"W. Europe Standard Time", "Romance Standard Time", "GMT Standard Time", "Central Europe Standard Time",
	"Eastern Standard Time", "India Standard Time",
}

var subjects = []string{
	"Budget review", "Sprint planning", "Design review", "Customer call", "Interview", "Steering committee", "Workshop",
	"Retrospective", "1:1", "Kick-off", "Roadmap", "Release planning", "Architecture board", "Offerte besprechen",
	"Monatsabschluss", "Revue de projet", "Brandschutz & Sicherheit", "Quartalszahlen <intern>", "Training: Outlook",
	"Kundenbesuch Zürich", "Team lunch 🍕", "Vertragsverhandlung", "Demo", "Risk assessment",
}

var privateSubjects = []string{"Dentist", "School meeting", "Doctor", "Car service", "Private"}

var allDaySubjects = []string{"Vacation", "Home office", "Business trip Genève", "Conference", "Public holiday"}

var categories = []string{"Project", "Customer", "Internal", "Travel"}
