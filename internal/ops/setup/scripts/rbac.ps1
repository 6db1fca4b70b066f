# roomsync setup powershell rbac
#
# Grants the app single mailboxes by RBAC for Applications, Microsoft's successor of application access policies: a
# mail-enabled security group, a management scope for its members, and the role "Application EWS.AccessAsApp" in it.
#
# It changes: one group and its members, a pointer to the app in Exchange, one management scope, one role assignment.
# It needs:   Install-Module ExchangeOnlineManagement; membership in Organization Management (Exchange Administrator).
#
# Grants add up: as long as Entra grants full_access_as_app the app reaches every mailbox, whatever stands here. Take it
# back (topic app, --undo) when this works. roomsync keeps working all the time: nothing is revoked here.
# Only direct members of the group count, not those of groups in it. Whoever may change the members decides what the app
# reaches. A change acts after 30 minutes to 2 hours; the test at the end does not wait for that.
# An organization that was never adapted wants Enable-OrganizationCustomization once; Exchange says so.

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

#values: TenantId AppId AppName ServicePrincipalId GroupName ScopeName AssignmentName Mailboxes

#part: step
#part: filter
#part: connect
#part: group

Start-ExchangeSession
$assignment = @(Get-ManagementRoleAssignment -Role 'Application EWS.AccessAsApp' -ErrorAction Stop | Where-Object { $_.Name -eq $AssignmentName })
if ($assignment.Count -gt 0) {
    # The app has one assignment, whatever the group: one that stands would keep the former group in force.
    $known = $assignment[0].PSObject.Properties['CustomResourceScope']
    if ($null -eq $known) {
        Write-Warning "Exchange does not say in which scope the role is assigned: see to it that it is '$ScopeName'."
    }
    elseif (@([string]$known.Value, ([string]$known.Value -replace '^.*\\', '')) -notcontains $ScopeName) {
        throw "The role is assigned in the scope '$($known.Value)', not in '$ScopeName'; nothing was changed. " +
            "To change the group, run the script of 'roomsync setup powershell rbac --undo' with the former --group first, then this one."
    }
}
$group = Update-Group

$pointer = @(Get-ServicePrincipal -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $AppId })
if ($pointer.Count -gt 0) {
    Write-Fine $AppId 'Exchange knows the app'
}
elseif (-not $ServicePrincipalId) {
    throw 'Exchange does not know the app yet. Make this script with --service-principal-id: the Object ID that Entra shows under Enterprise applications (not under App registrations); the topic app prints it too.'
}
else {
    Invoke-Step $AppId 'make the app known to Exchange' {
        New-ServicePrincipal -AppId $AppId -ObjectId $ServicePrincipalId -DisplayName $AppName -ErrorAction Stop
    }
}

$scope = @(Get-ManagementScope -ErrorAction Stop | Where-Object { $_.Name -eq $ScopeName })
$filter = ''
if ($null -ne $group) {
    $filter = "MemberOfGroup -eq '" + (ConvertTo-FilterText $group.DistinguishedName) + "'"
}
if ($scope.Count -eq 0) {
    Invoke-Step $ScopeName "create the management scope of the members of '$GroupName'" {
        New-ManagementScope -Name $ScopeName -RecipientRestrictionFilter $filter -ErrorAction Stop
    }
}
elseif ($null -ne $group -and ([string]$scope[0].RecipientFilter).IndexOf($group.DistinguishedName, [StringComparison]::OrdinalIgnoreCase) -lt 0) {
    Invoke-Step $ScopeName "let the management scope be the members of '$GroupName'; it was: $($scope[0].RecipientFilter)" {
        Set-ManagementScope -Identity $ScopeName -RecipientRestrictionFilter $filter -ErrorAction Stop
    }
}
else {
    Write-Fine $ScopeName 'the management scope is there'
}

if ($assignment.Count -gt 0) {
    Write-Fine $AssignmentName 'the role is assigned'
}
else {
    Invoke-Step $AssignmentName "assign the role Application EWS.AccessAsApp in '$ScopeName'" {
        New-ManagementRoleAssignment -Name $AssignmentName -App $AppId -Role 'Application EWS.AccessAsApp' -CustomResourceScope $ScopeName -ErrorAction Stop
    }
}

if (@(Get-ServicePrincipal -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $AppId }).Count -gt 0) {
    Write-Host ''
    Write-Host 'What Exchange says of each mailbox (without what Entra grants):'
    foreach ($address in $Mailboxes) {
        try {
            foreach ($row in @(Test-ServicePrincipalAuthorization -Identity $AppId -Resource $address -ErrorAction Stop | Where-Object { $_.RoleName -eq 'Application EWS.AccessAsApp' })) {
                Write-Host "InScope=$($row.InScope)  $address  (scope $($row.AllowedResourceScope))"
            }
        }
        catch {
            Add-Failure $address $_.Exception.Message
        }
    }
}
Complete-Script
