# roomsync setup powershell app --undo
#
# Takes back in Microsoft Entra what the app may do in Exchange Online: full_access_as_app, or EWS.AccessAsUser.All for
# the service user. The registration, its certificates and secrets stay; delete it by hand when it is of no use any more.
#
# It changes: the grants of one enterprise application. roomsync can then sign in, but reaches a mailbox only where the
#             topic rbac granted it; that is also how the change from access policies to rbac ends.
# It needs:   Install-Module Microsoft.Graph; the role Privileged Role Administrator.

#requires: graph
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId AppId

# Microsoft's ids: Office 365 Exchange Online, and its permission full_access_as_app.
$ExchangeAppId = '00000002-0000-0ff1-ce00-000000000000'
$FullAccessAsApp = 'dc890d15-9560-4a4c-9b7f-a736ec74ec40'

#part: step
#part: graph

Start-GraphSession @('Application.Read.All', 'AppRoleAssignment.ReadWrite.All', 'DelegatedPermissionGrant.ReadWrite.All')
$exchange = Get-MgServicePrincipal -Filter "appId eq '$ExchangeAppId'" -ErrorAction Stop | Select-Object -First 1
$principal = Get-MgServicePrincipal -Filter "appId eq '$AppId'" -ErrorAction Stop | Select-Object -First 1
if ($null -eq $principal -or $null -eq $exchange) {
    throw "There is no enterprise application with the id $AppId, or no Exchange Online, in this tenant."
}

$roles = @(Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $principal.Id -All -ErrorAction Stop |
        Where-Object { $_.ResourceId -eq $exchange.Id -and $_.AppRoleId -eq $FullAccessAsApp })
foreach ($role in $roles) {
    Invoke-Step $principal.DisplayName 'take back full_access_as_app' {
        Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $principal.Id -AppRoleAssignmentId $role.Id -Confirm:$false -ErrorAction Stop
    }
}

$grants = @(Get-MgOauth2PermissionGrant -Filter "clientId eq '$($principal.Id)' and resourceId eq '$($exchange.Id)'" -All -ErrorAction Stop)
foreach ($grant in $grants) {
    $scopes = @($grant.Scope -split ' ' | Where-Object { $_ })
    $rest = @($scopes | Where-Object { $_ -ne 'EWS.AccessAsUser.All' })
    if ($rest.Count -eq $scopes.Count) {
        continue
    }
    Invoke-Step $principal.DisplayName "take back EWS.AccessAsUser.All ($($grant.ConsentType))" {
        if ($rest.Count -eq 0) {
            Remove-MgOauth2PermissionGrant -OAuth2PermissionGrantId $grant.Id -Confirm:$false -ErrorAction Stop
        }
        else {
            Update-MgOauth2PermissionGrant -OAuth2PermissionGrantId $grant.Id -Scope ($rest -join ' ') -ErrorAction Stop
        }
    }
}
Complete-Script
