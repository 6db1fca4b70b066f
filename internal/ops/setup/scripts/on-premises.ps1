# roomsync setup powershell on-premises
#
# For Exchange Server: lets the service user act as the owner of the mailboxes (the role ApplicationImpersonation, only for
# the members of a group), and with -ThrottlingPolicy gives that user limits of its own.
#
# It changes: one group and its members, one management scope, one role assignment; with -ThrottlingPolicy one policy and
#             its association with the service user.
# It needs:   the Exchange Management Shell; membership in Organization Management.
#
# Impersonation acts on whole mailboxes, and logs show the access as the owner's. Let the service user be no administrator.
# With --impersonation=false (Delegated Access) nobody is impersonated: the topic delegate gives the rights instead.
# Exchange Online has removed this role; there the topics rbac and access-policy take its place.

[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply,
    # Raise the service user's EWS limits (Client Throttling Policies in ROOMS' guide). roomsync obeys the usual limits, so
    # this is worth it only where it is throttled all day. Microsoft: looser limits can make the servers less reliable.
    [switch]$ThrottlingPolicy,
    [int]$MaxConcurrency = 100,
    [int]$MaxSubscriptions = 5000
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: ServiceUser Impersonation GroupName ScopeName AssignmentName PolicyName Mailboxes

#part: step
#part: filter
#part: connect
#part: group

Start-ExchangeSession
if ($Impersonation) {
    $group = Update-Group

    $scope = @(Get-ManagementScope -ErrorAction Stop | Where-Object { $_.Name -eq $ScopeName })
    if ($scope.Count -gt 0) {
        Write-Fine $ScopeName "the management scope is there: $($scope[0].RecipientFilter)"
    }
    else {
        Invoke-Step $ScopeName "create the management scope of the members of '$GroupName'" {
            New-ManagementScope -Name $ScopeName -RecipientRestrictionFilter ("MemberOfGroup -eq '" + (ConvertTo-FilterText $group.DistinguishedName) + "'") -ErrorAction Stop
        }
    }

    $assignment = @(Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -ErrorAction Stop | Where-Object { $_.Name -eq $AssignmentName })
    if ($assignment.Count -gt 0) {
        Write-Fine $AssignmentName "the role is assigned to $($assignment[0].RoleAssigneeName)"
    }
    else {
        Invoke-Step $AssignmentName "assign the role ApplicationImpersonation in '$ScopeName' to $ServiceUser" {
            New-ManagementRoleAssignment -Name $AssignmentName -Role 'ApplicationImpersonation' -User $ServiceUser -CustomRecipientWriteScope $ScopeName -ErrorAction Stop
        }
    }
}
else {
    Write-Host 'No impersonation: the topic delegate gives the service user its rights.'
}

if ($ThrottlingPolicy) {
    $policy = @(Get-ThrottlingPolicy -ErrorAction Stop | Where-Object { $_.Name -eq $PolicyName })
    if ($policy.Count -gt 0) {
        Write-Fine $PolicyName 'the throttling policy is there'
    }
    else {
        Invoke-Step $PolicyName "create the throttling policy: $MaxConcurrency connections, $MaxSubscriptions subscriptions" {
            New-ThrottlingPolicy -Name $PolicyName -ThrottlingPolicyScope Regular -EwsMaxConcurrency $MaxConcurrency -EwsMaxSubscriptions $MaxSubscriptions -ErrorAction Stop
        }
    }
    $association = Get-ThrottlingPolicyAssociation -Identity $ServiceUser -ErrorAction Stop
    if ([string]$association.ThrottlingPolicyId -like "*$PolicyName") {
        Write-Fine $ServiceUser 'the throttling policy applies'
    }
    else {
        Invoke-Step $ServiceUser "apply the throttling policy $PolicyName; now: $($association.ThrottlingPolicyId)" {
            Set-ThrottlingPolicyAssociation -Identity $ServiceUser -ThrottlingPolicy $PolicyName -ErrorAction Stop
        }
    }
}
Complete-Script
