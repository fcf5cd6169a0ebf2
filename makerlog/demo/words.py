"""What a made-up community is made of. Plain words: what is drawn from them is decided in the modules beside this one.

Text in braces is filled in by ``sentences``. No list is a set: the order decides what a seed draws.
"""

FIRST_NAMES = (
    "Ada Adel Aisha Akira Alba Alex Amara Amir Ana Anders Anika Anton Aria Arjun Astrid Aurora Ayo Beatriz Ben Bianca"
    " Bjorn Bruno Camila Carlos Carmen Chen Chiara Chloe Dana Daniel Daria David Diego Dmitri Ebba Elena Eli Elif Emil"
    " Emma Enzo Eva Fatima Felix Femi Finn Freya Gabriel Gita Goran Grace Hana Hannah Hugo Ida Igor Ines Ingrid Iris"
    " Ivan Jack Jana Jasper Jin Joana Jonas Jorge Jude Julia Kaito Karim Katya Keiko Kofi Kwame Lara Lars Layla Leo"
    " Lena Lin Linnea Lucas Luna Mads Magnus Malik Mara Marco Maria Mateo Maya Mei Mia Mila Milan Mina Nadia Naomi Nia"
    " Nico Nils Noah Nora Olga Oliver Omar Oskar Paolo Petra Priya Rafael Rania Ravi Rosa Ruben Samir Sana Sara Sergio"
    " Signe Silas Sofia Soren Stella Sven Tala Tariq Tessa Theo Tomas Tove Uma Valeria Vera Victor Viola Wei Yara Yuki"
    " Yusuf Zara Zoe"
).split()
LAST_NAMES = (
    "Abbott Adeyemi Aguilar Almeida Andersen Aoki Arslan Banerjee Barros Bauer Becker Bell Berg Bianchi Blake Blom Bose"
    " Brandt Brooks Campos Castro Chan Chavez Chen Cohen Costa Cruz Dahl Das Delgado Diaz Dubois Eide Ekman Fischer"
    " Flores Fontaine Forsberg Fraser Fujita Garcia Gomez Grant Greene Gupta Haas Hansen Hart Hayashi Herrera Hoffmann"
    " Holm Horvat Hughes Ibrahim Ito Ivanov Jansen Jensen Johansson Kaplan Kaur Keller Khan Kim Klein Kovac Kowalski"
    " Kumar Lambert Larsen Laurent Lee Lehto Leon Li Lima Lindgren Lopez Lund Mancini Marin Martin Mbeki Medina Mehta"
    " Mendes Meyer Mills Moore Mora Morales Moretti Mori Mwangi Nair Nakamura Navarro Nguyen Nielsen Novak Nunez"
    " Okafor Olsen Ortiz Osei Palmer Park Patel Perez Peters Pinto Popov Quinn Ramos Rao Reyes Ricci Rivera Romano"
    " Rossi Ruiz Saito Santos Sato Schmidt Shah Silva Singh Sousa Stein Suzuki Tanaka Tan Torres Vega Verma Vidal"
    " Vogel Walsh Wang Weber Wolf Wong Yamada Yilmaz Young Zhang Zimmer"
).split()

# (zone, share). None of them has changed its rules in the last years, so that no two databases of zones disagree.
ZONES = (
    ("UTC", 6), ("Europe/Madrid", 9), ("Europe/London", 9), ("Europe/Berlin", 9), ("Europe/Lisbon", 4),
    ("Europe/Stockholm", 4), ("Europe/Athens", 2), ("America/New_York", 11), ("America/Chicago", 5),
    ("America/Los_Angeles", 10), ("America/Sao_Paulo", 4), ("America/Bogota", 3), ("America/St_Johns", 1),
    ("Africa/Lagos", 4), ("Africa/Nairobi", 2), ("Asia/Kolkata", 8), ("Asia/Kathmandu", 1), ("Asia/Singapore", 4),
    ("Asia/Tokyo", 4), ("Asia/Dubai", 2), ("Australia/Sydney", 3), ("Pacific/Auckland", 2), ("Pacific/Honolulu", 1),
)  # fmt: skip

STATUSES = (
    "Building in public", "Making small tools", "Shipping every day", "Learning by doing", "On a long streak",
    "Bootstrapping", "Looking for a co-founder", "Writing more, coding less", "One product a month", "Open to feedback",
)  # fmt: skip
ABOUT = (
    "Making {topic} tools since 2015.", "Designer who codes, now into {topic}.", "By day in {topic}, by night a maker.",
    "Working on {topic} for people who have little time.", "I like {topic}, long walks and short meetings.",
    "Former teacher, now full time on {topic}.", "Two people, one laptop, and {topic}.",
)  # fmt: skip
ACCENTS = ("green", "blue", "purple", "orange", "red", "teal", "pink", "yellow")

TOPICS = (
    "marketing", "design", "habit tracking", "remote work", "open source", "newsletters", "e-commerce",
    "personal finance", "travel", "health", "education", "music", "photography", "analytics", "podcasts",
    "gardening", "language learning", "recruiting", "note taking", "climate",
)  # fmt: skip
TAGS = (
    "productivity", "design", "marketing", "developer-tools", "open-source", "saas", "mobile", "newsletter",
    "education", "health", "finance", "travel", "music", "analytics", "no-code", "api", "community", "remote",
    "writing", "climate",
)  # fmt: skip

PROJECT_FIRST = (
    "ink habit pixel paper quick copper north little moon river cloud ember fern hello lime maple night orbit pine"
    " plain quiet rocket sand silver snow spark stone sun tidy tiny violet wave wild window zen"
).split()
PROJECT_SECOND = (
    "well loop board desk mail notes log stack list deck garden lab map mark metrics nest path pad post press room"
    " shelf ship smith space studio sync table tab track wise works yard"
).split()
PROJECTS_OF_LIFE = ("blog", "life", "learning", "health", "portfolio", "side-project", "freelance", "home_office")
PRODUCT_KINDS = (
    "A calm {tag} app for small teams.", "The simplest way to keep up with {topic}.",
    "{topic} without the spreadsheets.", "An open tool for {topic}.", "A weekly letter about {topic}.",
    "Your {topic} in one place.", "A tiny API for {topic}.", "Find the best of {topic}, picked by hand.",
)  # fmt: skip

DETAILS = (
    "", "", "", "", "", "", " on mobile", " for new users", " for the {tag} plan", " after feedback", " once more",
    " before the launch", " on old phones", " in half the time", " for good",
)  # fmt: skip
WHENS = ("", "", "", "", " at last", " this morning", " before lunch", " with a colleague")
# What is done, to what, and how or when. A sentence draws one of each.
DEEDS = (
    (
        "Fixed,Redesigned,Refactored,Finished,Tested,Improved,Shipped,Polished,Simplified,Started,Rewrote,Cleaned up,"
        "Reviewed,Sped up,Added tests for,Fixed a bug in".split(","),
        (
            "the sign-up form", "the login page", "the pricing page", "the landing page", "the settings page",
            "the onboarding", "the search", "the dashboard", "the checkout", "the e-mail templates", "the dark mode",
            "the import", "the CSV export", "the public profile", "the API client", "the background jobs",
            "the notifications", "the calendar view", "the mobile menu", "the invoices", "the billing flow",
            "the image uploads", "the backups", "the error pages", "the admin", "the weekly report", "the charts",
            "the command line tool", "the deploy script", "the database migrations",
        ),
        DETAILS,
    ),
    (
        "Wrote,Published,Drafted,Edited,Finished,Outlined,Proofread,Illustrated".split(","),
        (
            "a post about {topic}", "the changelog", "the docs", "the newsletter", "a guide to {topic}", "the FAQ",
            "the launch announcement", "a case study", "the release notes", "next week's plan", "the privacy policy",
            "a tutorial on {topic}", "the welcome e-mail", "the about page",
        ),
        WHENS,
    ),
    (
        "Talked to,Sent a demo to,Interviewed,Answered,Followed up with,Thanked,Invoiced,Onboarded".split(","),
        (
            "a customer", "three early users", "a possible partner", "the first beta testers", "a designer",
            "a podcast host", "everyone who wrote this week", "a new client", "two people who left", "the accountant",
        ),
        WHENS,
    ),
    (
        "Set up,Configured,Upgraded,Moved,Monitored,Automated,Measured,Compared".split(","),
        (
            "the new server", "the domain", "analytics", "the staging site", "continuous integration", "error tracking",
            "the payment provider", "the mailing list", "the database", "the CDN", "the support inbox",
            "the test suite",
        ),
        WHENS,
    ),
)  # fmt: skip
MOMENTS = (
    "Answered support e-mails", "Planned the week", "Cleared the inbox", "Went for a run before work",
    "Read for an hour", "Watched a talk about {topic}", "Took a day off screens", "Updated the roadmap",
    "Paid the bills", "Tidied the backlog", "Learned a bit more about {topic}", "Sketched ideas for {topic}",
    "Helped a fellow maker with {topic}", "Closed issue #{number}", "Merged pull request #{number}",
    "Reached {number} users", "Wrote {number} words",
)  # fmt: skip
NOTES = (
    "Took longer than planned, but it holds.", "Small step, big relief.", "More on this tomorrow.",
    "Next: the same for {topic}.", "Thanks to everyone who tried it.",
)  # fmt: skip

COMMENTS = (
    "Nice work!", "Congratulations!", "This is great, keep going.", "How long did it take you?", "Love it.",
    "I had the same problem last week.", "Looking forward to trying it.", "Well done, that page looks so much better.",
    "Would you write about how you did it?", "Same here, {topic} is hard.", "Good luck with the launch!",
    "What did you use for this?", "Inspiring, as always.", "Happy to test it if you need somebody.",
)  # fmt: skip

QUESTIONS = (
    "How did you find your first ten customers?", "What do you use for {topic}?",
    "How do you stay consistent with {topic}?", "Is anybody else working on {topic}?",
    "How do you price a {tag} product?", "When is it time to give up on a product?",
    "What is your morning routine as a maker?", "Which {tag} tools would you not give up?",
    "How do you handle refunds?", "Do you launch on Mondays or on weekends?",
    "How much time do you spend on {topic}?", "Would you hire for {topic}?",
)  # fmt: skip
TEXTS = (
    "What I learned from a year of {topic}", "My {tag} product made its first sale", "A hundred days of shipping",
    "Why I stopped doing {topic}", "Show us what you built this week", "Lessons from a launch that failed",
    "Introduce yourself", "From idea to {tag} app in a weekend", "The numbers after six months of {topic}",
    "Feedback wanted: a small tool for {topic}",
)  # fmt: skip
LINKS = ("A good read about {topic}", "The best list of {tag} resources", "An interview about {topic}")
OPENINGS = (
    "I have been thinking about this for a while.", "Short version: it worked, but not the way I expected.",
    "Curious what the community thinks.", "I could not find a good answer anywhere.", "Some background first.",
)  # fmt: skip
BODIES = (
    "Most of my time goes into {topic}, and I would like to change that.",
    "We are two, and neither of us likes {topic}.",
    "The first month brought {number} visitors, the second one twice as many.",
    "I tried three tools and kept none of them.", "In the end, talking to people helped more than any tool.",
    "If there is interest I can share the numbers.", "What would you do differently?", "Any advice is welcome.",
)  # fmt: skip
REPLIES = (
    "I was in the same place a year ago. Talk to your users first.", "Great question, I would like to know as well.",
    "For me it was {topic}, without any doubt.", "Start small, and charge from the first day.",
    "It depends on how much time you have for {topic}.", "Thanks for sharing, this is helpful.",
    "I disagree a little: {topic} never worked for me.", "We wrote about this on our blog last month.",
    "Congratulations! How long did it take?", "Consistency beats everything else.",
    "I would try it without {topic} first.", "Have you looked at what others in {topic} do?", "Following this one.",
    "Ten minutes a day, every day. That is all.",
)  # fmt: skip
