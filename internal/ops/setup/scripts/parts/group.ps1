# Find-Group returns the group, or nothing when there is none.
function Find-Group {
    $filter = "Name -eq '" + (ConvertTo-FilterText $GroupName) + "'"
    $found = @(Get-DistributionGroup -Filter $filter -ErrorAction Stop)
    if ($found.Count -gt 1) {
        throw "There are $($found.Count) groups with the name '$GroupName'."
    }
    if ($found.Count -eq 1) {
        if ([string]$found[0].RecipientTypeDetails -ne 'MailUniversalSecurityGroup') {
            throw "'$GroupName' is a $($found[0].RecipientTypeDetails); a mail-enabled security group is needed: choose another --group."
        }
        $found[0]
    }
}

# Update-Group makes the group if it is missing and adds the mailboxes. It removes nobody, but names the others in it:
# they count too. It returns the group, or nothing as long as there is none.
function Update-Group {
    $group = Find-Group
    if ($null -eq $group) {
        $script:Created = $null
        Invoke-Step $GroupName 'create the mail-enabled security group' {
            $script:Created = New-DistributionGroup -Name $GroupName -Type Security -MemberJoinRestriction Closed -MemberDepartRestriction Closed -ErrorAction Stop
        }
        $group = $script:Created
    }
    else {
        Write-Fine $GroupName 'the group is there'
    }

    $present = @()
    if ($null -ne $group) {
        $present = @(Get-DistributionGroupMember -Identity $group.DistinguishedName -ResultSize Unlimited -ErrorAction Stop)
    }
    $wanted = @()
    foreach ($address in $Mailboxes) {
        try {
            $recipient = Get-Recipient -Identity $address -ErrorAction Stop
            $wanted += $recipient.DistinguishedName
            if (@($present | Where-Object { $_.DistinguishedName -eq $recipient.DistinguishedName }).Count -gt 0) {
                Write-Fine $address 'is a member'
                continue
            }
            Invoke-Step $address "add to the group '$GroupName'" {
                Add-DistributionGroupMember -Identity $group.DistinguishedName -Member $recipient.DistinguishedName -BypassSecurityGroupManagerCheck -ErrorAction Stop
            }
        }
        catch {
            Add-Failure $address $_.Exception.Message
        }
    }
    foreach ($member in $present) {
        if ($wanted -notcontains $member.DistinguishedName) {
            Write-Host "also:  a member that is not in the list [$($member.PrimarySmtpAddress)]"
        }
    }
    $group
}
