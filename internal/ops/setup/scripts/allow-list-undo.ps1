# roomsync setup powershell allow-list --undo
#
# Takes the app off the organization's list EwsAllowedAppIDs. The others on it stay, and so does EwsEnabled.
#
# It changes: EwsAllowedAppIDs of the organization. roomsync is refused within 24 hours.
# It needs:   Install-Module ExchangeOnlineManagement; the role Exchange Administrator (Organization Management).

#requires: exchange
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply,
    # The account to sign in with; asked for when absent.
    [string]$Administrator
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId AppId

#part: step
#part: connect
#part: allow-list

Start-ExchangeSession
$before = @(Get-AllowedAppIds)
Write-Host "EwsAllowedAppIDs before: $($before -join ',')"
$ours = ([guid]$AppId).ToString()
$rest = @($before | Where-Object { $_ -ne $ours })
if ($rest.Count -eq $before.Count) {
    Write-Fine $AppId 'the app is not on the list'
}
elseif ($rest.Count -eq 0) {
    throw 'roomsync is the only app on the list, and an empty list is no list. To close EWS altogether: Set-OrganizationConfig -EwsEnabled $false'
}
else {
    Invoke-Step 'EwsAllowedAppIDs' "set to $($rest -join ',')" {
        Set-OrganizationConfig -EwsAllowedAppIDs ($rest -join ',') -ErrorAction Stop
    }
}
Complete-Script
