# Start-ExchangeSession connects to Exchange Online, unless that is done, and refuses to work in another organization.
# Preferences of a script do not reach the commands of Exchange, so each call below says -ErrorAction itself.
function Start-ExchangeSession {
    if (@(Get-ConnectionInformation -ErrorAction Stop).Count -eq 0) {
        if ($Administrator) {
            Connect-ExchangeOnline -UserPrincipalName $Administrator -ShowBanner:$false -ErrorAction Stop
        }
        else {
            Connect-ExchangeOnline -ShowBanner:$false -ErrorAction Stop
        }
    }
    $wanted = [guid]::Empty
    if (-not [guid]::TryParse($TenantId, [ref]$wanted)) {
        Write-Host "The tenant is given by name: see yourself that you are connected to $TenantId."
        return
    }
    foreach ($connection in @(Get-ConnectionInformation -ErrorAction Stop)) {
        if ([string]$connection.TenantID -ne $wanted.ToString()) {
            throw "This session is connected to the tenant $($connection.TenantID), not to ${TenantId}: Disconnect-ExchangeOnline first."
        }
    }
}
