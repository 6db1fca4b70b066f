# Start-ExchangeSession makes sure that this is an Exchange Management Shell.
# Preferences of a script do not reach the commands of Exchange, so each call below says -ErrorAction itself.
function Start-ExchangeSession {
    if ($null -eq (Get-Command -Name Get-Mailbox -ErrorAction SilentlyContinue)) {
        throw 'Run this in the Exchange Management Shell of your Exchange Server.'
    }
}
